"""`esper-audit run`, `report` and `rule`, and the option `--esper-audit` of pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.audit_runs import ADOPTING

# Slow: each test starts `esper-audit` in processes of its own.
pytestmark = pytest.mark.slow

MODEL = 'def forward(host):\n    if hasattr(host, "segments"):\n        return 1\n    return 0\n'


def command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


def esper(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(directory, "esper_audit", *arguments)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "esper-audit.toml").write_text(ADOPTING)
    (tmp_path / "model.py").write_text(MODEL)
    return tmp_path


def content(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_a_run_opens_tickets_and_a_second_one_changes_nothing(project: Path) -> None:
    first = esper(project, "run")
    assert first.returncode == 1, first.stderr
    after_first = content(project)
    second = esper(project, "run")
    assert second.returncode == 0, second.stdout
    assert content(project) == after_first
    assert "0 opened" in second.stdout


def test_the_tickets_are_the_baseline_of_check(project: Path) -> None:
    assert esper(project, "check").returncode == 1
    esper(project, "run")
    known = esper(project, "check")
    assert known.returncode == 0
    assert "1 with a ticket" in known.stdout
    (project / "model.py").write_text(MODEL + "\n\nx = getattr(host, 'y', None)\n")
    assert esper(project, "check").returncode == 1


def test_a_ticket_that_says_fixed_excuses_nothing(project: Path) -> None:
    esper(project, "run")
    (ticket,) = (project / "tickets").glob("*.yaml")
    ticket.write_text(ticket.read_text().replace("status: open", "status: fixed"))
    assert esper(project, "check").returncode == 1


def test_a_fixed_finding_closes_its_ticket_and_its_return_opens_it(project: Path) -> None:
    esper(project, "run")
    (ticket,) = (project / "tickets").glob("*.yaml")
    (project / "model.py").write_text("def forward(host):\n    return host.segments\n")
    assert esper(project, "run").returncode == 0
    assert "status: fixed" in ticket.read_text()
    (project / "model.py").write_text(MODEL)
    assert esper(project, "run").returncode == 1
    assert "status: open" in ticket.read_text()


def test_a_file_that_does_not_parse_closes_no_ticket_and_is_told(project: Path) -> None:
    esper(project, "run")
    (ticket,) = (project / "tickets").glob("*.yaml")
    (project / "model.py").write_text("def forward(host:\n")
    done = esper(project, "run")
    assert done.returncode == 3
    assert "status: open" in ticket.read_text()
    assert "model.py:1: does not parse" in (project / "reports" / "audit.md").read_text()


def test_the_report_names_every_contract_and_no_machine_path(project: Path) -> None:
    esper(project, "run")
    report = (project / "reports" / "audit.md").read_text()
    assert "| [no-hasattr](#no-hasattr) |" in report
    assert "**broken**: [1](#findings)" in report
    assert str(project) not in "".join(p.read_text() for p in project.rglob("*.md"))


def test_report_renders_the_pages_again_and_takes_away_those_without_ticket(project: Path) -> None:
    esper(project, "run")
    (page,) = (project / "reports" / "tickets").glob("EA-*.md")
    original = page.read_bytes()
    page.write_text("scribbled over")
    (page.parent / "EA-gone.md").touch()
    done = esper(project, "report")
    assert done.returncode == 0, done.stderr
    assert "not rendered: audit.md, deep-dive.md, index.html" in done.stdout
    assert sorted(path.name for path in page.parent.iterdir()) == [page.name, "index.md"]
    assert page.read_bytes() == original


def test_a_template_of_ones_own_replaces_the_shipped_one(project: Path) -> None:
    (project / "esper-audit.toml").write_text(f'{ADOPTING}templates = "mine"\n')
    (project / "mine").mkdir()
    (project / "mine" / "ticket.md").write_text("{{ ticket.id }} is mine\n")
    esper(project, "run")
    (page,) = (project / "reports" / "tickets").glob("EA-*.md")
    assert page.read_text() == f"{page.stem} is mine\n"


def test_a_broken_ticket_stops_the_run_with_its_place(project: Path) -> None:
    esper(project, "run")
    (ticket,) = (project / "tickets").glob("*.yaml")
    ticket.write_text(ticket.read_text().replace("severity: P3", "severity: high"))
    done = esper(project, "run")
    assert done.returncode == 2
    assert f"{ticket.name}:4: severity: Invalid enum value 'high'" in done.stderr


def test_rule_lists_all_and_explains_one_within_eighty_columns(project: Path) -> None:
    listed = esper(project, "rule").stdout
    assert "unauthorised-hasattr" in listed
    explained = esper(project, "rule", "unused-suppression").stdout
    assert "Why:" in explained
    assert max(map(len, explained.splitlines())) <= 80
    unknown = esper(project, "rule", "unauthorized-hasattr")
    assert unknown.returncode == 2
    assert "did you mean 'unauthorised-hasattr'?" in unknown.stderr


def test_pytest_gives_one_item_a_check_and_fails_with_sentences(project: Path) -> None:
    done = command(project, "pytest", "--esper-audit", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 1
    assert 'model.py:2: hasattr(host, "segments")' in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed" in done.stdout
    chosen = command(
        project, "pytest", "--esper-audit", "-q", "-k", "silent-except", "-p", "no:cacheprovider"
    )
    assert "1 passed" in chosen.stdout


def test_pytest_guards_against_what_was_not_looked_at(project: Path) -> None:
    (project / "model.py").write_text("def forward(host:\n")
    done = command(project, "pytest", "--esper-audit", "-q", "-p", "no:cacheprovider")
    assert "not looked at: model.py:1: does not parse" in done.stdout
    assert "everything-looked-at" in done.stdout


def test_pytest_is_silent_without_the_option(project: Path) -> None:
    done = command(project, "pytest", "-q", "-p", "no:cacheprovider")
    assert "no tests ran" in done.stdout
