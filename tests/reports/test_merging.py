"""Two branches that each ran the audit merge in git, and one run makes the pages right."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from support.audit_runs import HASATTR, TODAY
from support.git_repositories import git

from esper_audit.engine.pipeline import CheckRequest
from esper_audit.project.config import find_project
from esper_audit.reports.pages import MERGING, Reports
from esper_audit.workflow.run import AuditRun, run

# Slow: each test audits a repository several times.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]
CONFIGURATION = f'policies = ["no-hasattr"]\nselect = ["{HASATTR}"]\n'
BAD = 'def cut(host):\n    if hasattr(host, "{0}"):\n        return host.{0}()\n'
PAGES = ("audit.md", "deep-dive.md", "index.html", "tickets/index.md")


def audit(root: Path) -> AuditRun:
    return run(find_project([str(root)]), CheckRequest(cache=False, today=TODAY))


def audited(root: Path, branch: str, files: dict[str, str]) -> None:
    """Change files on a branch, run the audit there, and commit everything."""
    git(root, "checkout", "-q", "-B", branch)
    for name, text in files.items():
        (root / name).write_text(text)
    assert not audit(root).unwritten
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", f"Change {branch}")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with two branches: each adds a finding, one of them also repairs one."""
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "esper-audit.toml").write_text(CONFIGURATION)
    audited(tmp_path, "main", {"a.py": BAD.format("a"), "m.py": BAD.format("m")})
    audited(tmp_path, "first", {"b.py": BAD.format("b"), "a.py": "x = 1\n"})
    git(tmp_path, "checkout", "-q", "main")
    audited(tmp_path, "second", {"c.py": BAD.format("c"), "d.py": BAD.format("d")})
    return tmp_path


def test_branches_that_each_ran_the_audit_merge_and_one_run_makes_the_pages_right(
    repository: Path,
) -> None:
    git(repository, "merge", "-q", "--no-edit", "first")
    reports = repository / "reports"
    assert not git(repository, "status", "--porcelain")
    assert "<<<<<<<" not in "".join(path.read_text() for path in reports.rglob("*.*"))
    audit(repository)
    right = {name: (reports / name).read_bytes() for name in PAGES}
    for path in (*reports.glob("*.*"), reports / "tickets/index.md"):
        path.unlink()
    audit(repository)
    assert {name: (reports / name).read_bytes() for name in PAGES} == right
    assert all(f"{name}.py#L2".encode() in right["audit.md"] for name in "bcdm")
    assert b"a.py#L2" not in right["audit.md"]


def test_without_the_attributes_the_same_branches_conflict(repository: Path) -> None:
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "attributes").write_text("reports/** !merge\n")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "-q", "--no-edit", "first")
    assert "UU reports/audit.md" in git(repository, "status", "--porcelain")


def test_attributes_that_a_user_wrote_stay(tmp_path: Path) -> None:
    attributes = tmp_path / ".gitattributes"
    attributes.write_text("*.py text\n")
    Reports(str(tmp_path)).write_tickets([])
    assert attributes.read_text() == "*.py text\n"
    attributes.unlink()
    Reports(str(tmp_path)).write_tickets([])
    assert attributes.read_text() == MERGING
