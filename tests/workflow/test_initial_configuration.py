"""`init` adopts what the tree shows, says why, and never overwrites a configuration."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, command

from esper_audit.project.config import find_project
from esper_audit.project.config_tables import Config

AUTHORISED = "# hasattr AUTHORIZED by Ada on 2026-01-02\n# Justification: hosts of others\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def adopted(root: Path) -> list[str]:
    assert command("init").status == 0
    return find_project([str(root)]).config.policies


def test_a_small_tree_without_marks_adopts_nothing(tmp_path: Path) -> None:
    tree(tmp_path, {"a.py": CLEAN, "setup.py": ""})
    assert adopted(tmp_path) == []
    assert find_project([str(tmp_path)]).config == Config()


def test_a_tree_with_authorisation_comments_has_the_policy_that_they_except(tmp_path: Path) -> None:
    comment = GOOD.replace("    if", f"{AUTHORISED.replace('# ', '    # ')}    if")
    tree(tmp_path, {"pkg/a.py": f"x = 1\n{comment}", "b.py": GOOD})
    ran = command("init")
    assert "  no-hasattr: 1 comment authorises exceptions (pkg/a.py:3)\n" in ran.out
    assert find_project([str(tmp_path)]).config.policies == ["no-hasattr"]
    assert command("check").status == 1


def test_a_comment_of_our_own_shows_the_policy_of_its_check(tmp_path: Path) -> None:
    tree(tmp_path, {"a.py": "x = 1  # esper-audit: allow private-torch-api -- pinned\n"})
    assert adopted(tmp_path) == ["public-torch-api"]


def test_settings_of_other_tools_show_policies(tmp_path: Path) -> None:
    settings = '[tool.ruff.lint]\nselect = ["D1", "SLF"]\n[tool.coverage.report]\nfail_under = 90\n[tool.vulture]\n'
    tree(tmp_path, {"pyproject.toml": settings, "a.py": CLEAN})
    expected = ["true-docstrings", "private-state", "tests-cover-it", "no-dead-code"]
    assert adopted(tmp_path) == expected
    assert find_project([str(tmp_path)]).config.extend_select == ["untested-symbol"]


def test_packages_that_list_their_names_have_a_stated_surface(tmp_path: Path) -> None:
    listing = "from pkg.a import cut\n\n__all__ = ['cut']\n"
    tree(tmp_path, {"pkg/__init__.py": listing, "pkg/low/__init__.py": listing, "pkg/a.py": CLEAN})
    assert adopted(tmp_path) == ["stated-surface"]


def test_ten_files_without_a_finding_keep_a_policy_already(tmp_path: Path) -> None:
    tree(tmp_path, {f"m{number}.py": GOOD for number in range(10)})
    ran = command("init")
    assert "  private-state: 10 files keep it already\n" in ran.out
    assert "#   no-hasattr: 10 findings\n" in (tmp_path / "esper-audit.toml").read_text()
    assert "no-hasattr" not in find_project([str(tmp_path)]).config.policies


def test_vendored_and_generated_code_is_excluded(tmp_path: Path) -> None:
    tree(tmp_path, {"pkg/third_party/a/b.py": GOOD, "pkg/x_pb2.py": GOOD, "pkg/c.py": CLEAN})
    adopted(tmp_path)
    assert find_project([str(tmp_path)]).config.exclude == ["*_pb2.py", "pkg/third_party/"]


@pytest.mark.parametrize(
    ("packaging", "expected"),
    [
        ({}, True),
        ({"setup.py": ""}, False),
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, False),
        ({"pyproject.toml": "[tool.ruff]\n"}, True),
    ],
)
def test_a_tree_without_packaging_is_an_application(
    tmp_path: Path, packaging: dict[str, str], expected: bool
) -> None:
    tree(tmp_path, {"a.py": CLEAN, **packaging})
    adopted(tmp_path)
    assert find_project([str(tmp_path)]).config.application is expected


@pytest.mark.parametrize("name", ["esper-audit.toml", "pyproject.toml"])
def test_a_configuration_is_never_overwritten(tmp_path: Path, name: str) -> None:
    text = "[tool.esper-audit]\n" if name == "pyproject.toml" else ""
    tree(tmp_path, {"a.py": CLEAN, name: text})
    ran = command("init")
    assert (ran.status, ran.out) == (2, "")
    assert "never overwrites" in ran.err
    assert (tmp_path / name).read_text() == text


def test_a_dry_run_prints_the_file_and_writes_nothing(tmp_path: Path) -> None:
    tree(tmp_path, {"a.py": CLEAN})
    printed = command("init", "--dry-run").out
    assert not (tmp_path / "esper-audit.toml").exists()
    command("init")
    assert (tmp_path / "esper-audit.toml").read_text() == printed


def test_every_key_that_is_commented_out_has_its_default(tmp_path: Path) -> None:
    tree(tmp_path, {"a.py": CLEAN, "setup.py": ""})
    command("init")
    file = tmp_path / "esper-audit.toml"
    text = re.sub(r"(?m)^# (?=[a-z-]+ = |\[[a-z]+\]$)", "", file.read_text())
    assert len(tomllib.loads(text)) > 8
    file.write_text(text)
    assert find_project([str(tmp_path)]).config == Config()
