"""`run` says what it did not look at, can only show what it would do, and can leave small findings alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import GOOD, command, write

# Slow: each run also probes and verifies.
pytestmark = pytest.mark.slow

SWALLOWED = (
    "def load():\n    try:\n        return 1 / 0\n    except Exception:\n        return None\n"
)


@pytest.fixture(autouse=True)
def _tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.py": GOOD, "z.py": SWALLOWED})
    monkeypatch.chdir(tmp_path)


def files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_a_dry_run_lists_what_it_would_open_and_writes_nothing(tmp_path: Path) -> None:
    before = files(tmp_path)
    ran = command("run", "--dry-run")
    assert ran.status == 1
    assert files(tmp_path) == before
    lines = ran.out.splitlines()
    opened = [line for line in lines if line.startswith("  would open ")]
    assert [line.split()[3] for line in opened] == ["P2", "P3"]
    assert sum(line.startswith("  would write tickets/") for line in lines) == 2


def test_a_dry_run_and_a_run_agree_on_the_tickets(tmp_path: Path) -> None:
    planned = command("run", "--dry-run").out.splitlines()
    would = [line.split()[-1] for line in planned if line.startswith("  would write ")]
    command("run")
    assert sorted(would) == sorted(
        f"tickets/{p.name}" for p in (tmp_path / "tickets").glob("*.yaml")
    )


def test_small_findings_can_be_left_without_tickets_and_keep_those_they_have(
    tmp_path: Path,
) -> None:
    ran = command("run", "--severity", "P2")
    assert "1 ticket, 1 active: 1 opened" in ran.out
    assert "2 findings" in ran.out
    assert command("run", "--severity", "P2").status == 0
    assert "2 tickets, 2 active: 1 opened" in command("run").out
    assert (
        "2 tickets, 2 active: 0 opened, 0 reopened, 0 fixed"
        in command("run", "--severity", "P2").out
    )


def test_what_was_not_looked_at_is_named_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path, {"odd.py": "def f(:\n"})
    ran = command("run")
    assert ran.status == 3
    assert "  not looked at: odd.py:1: does not parse: " in ran.out


def test_many_lines_are_counted(tmp_path: Path) -> None:
    write(tmp_path, {f"odd{number}.py": "def f(:\n" for number in range(20)})
    lines = command("run", "--dry-run").out.splitlines()
    assert sum(line.startswith("  not looked at: ") for line in lines) == 11
    assert "  and 9 more" in lines


def test_no_handbook_of_the_checks_is_written(tmp_path: Path) -> None:
    command("run")
    pages = {path.name for path in (tmp_path / "reports").glob("*.md")}
    assert "audit.md" in pages
    assert "rules.md" not in pages
    assert "rules.md" not in (tmp_path / "reports" / "audit.md").read_text()
