"""`esper-audit ticket import` and `ticket lint`: files written, output and exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Slow: each test starts `esper-audit` in processes of its own.
pytestmark = pytest.mark.slow

FORM = """# Finding Ticket: Tank Asked Twice

## Ticket Metadata

| Field | Value |
|-------|-------|
| **Ticket ID** | `{id}` |
| **Severity** | `P2` |
| **Status** | `open` |
| **Created** | 2025-03-02 |

## Location

| Field | Value |
|-------|-------|
| **File(s)** | `/home/ada/old/pumps/valve.py` |
| **Line(s)** | `2` |

## Summary

**One-line summary:** {summary}

## Detailed Description

### Code Evidence

```python
# /home/ada/old/pumps/valve.py:2

{quote}
```

## Odds and Ends

More words.
"""


def ticket(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "esper_audit", "ticket", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


def form(**changes: str) -> str:
    fields = {
        "id": "Q7-NET-04",
        "summary": "The valve asks twice.",
        "quote": "level = tank.level()",
    }
    return FORM.format(**{**fields, **changes})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a tree with a ticket of another tree, and the one file that it refers to."""
    (tmp_path / "esper-audit.toml").write_text('[import]\nmap = { "old/pumps" = "lib" }\n')
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "valve.py").write_text("def f(tank):\n    level = tank.level()\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "valve.py").write_text("")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "Q7-NET-04.md").write_text(form())
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def data(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)


def test_an_import_writes_a_record_for_every_ticket_and_says_so(project: Path) -> None:
    done = ticket(project, "import", "old")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "1 file: 1 new; written to tickets/" in done.stdout
    record = (project / "tickets" / "Q7-NET-04.yaml").read_text()
    assert "- path: lib/valve.py" in record
    assert "words: '`/home/ada/old/pumps/valve.py`'" in record
    assert "section: Odds and Ends" in record


def test_importing_again_changes_nothing(project: Path) -> None:
    ticket(project, "import", "old")
    record = project / "tickets" / "Q7-NET-04.yaml"
    before = (record.read_bytes(), record.stat().st_mtime_ns)
    done = ticket(project, "import", "old")
    assert done.returncode == 0
    assert "1 file: 1 unchanged; nothing is written" in done.stdout
    assert (record.read_bytes(), record.stat().st_mtime_ns) == before


def test_a_record_that_differs_is_not_overwritten(project: Path) -> None:
    ticket(project, "import", "old")
    record = project / "tickets" / "Q7-NET-04.yaml"
    record.write_text(record.read_text() + "# mine\n")
    assert ticket(project, "import", "old").returncode == 0
    record.write_text(record.read_text().replace("The valve asks twice.", "The valve asks once."))
    before = record.read_bytes()
    done = ticket(project, "import", "old")
    assert done.returncode == 3
    assert "differs in: summary" in " ".join(done.stdout.split())
    assert record.read_bytes() == before


def test_a_file_that_is_no_ticket_is_named_and_the_others_are_imported(project: Path) -> None:
    (project / "old" / "README.md").write_text("# About\n\nOld tickets.\n")
    done = ticket(project, "import", "old", "--format", "json")
    assert done.returncode == 3
    states = {Path(entry["file"]).name: entry for entry in data(done)["entries"]}
    assert states["Q7-NET-04.md"]["state"] == "new"
    assert states["README.md"]["problem"].startswith("not a ticket: no id")
    assert (project / "tickets" / "Q7-NET-04.yaml").exists()


def test_a_dry_run_writes_nothing(project: Path) -> None:
    done = ticket(project, "import", "old", "--dry-run")
    assert done.returncode == 0
    assert "nothing is written" in done.stdout
    assert not (project / "tickets").exists()


def test_records_can_go_elsewhere(project: Path) -> None:
    assert ticket(project, "import", "old", "--output", "there").returncode == 0
    assert (project / "there" / "Q7-NET-04.yaml").exists()
    assert not (project / "tickets").exists()


def test_a_path_that_does_not_exist_could_not_be_run(project: Path) -> None:
    done = ticket(project, "import", "nowhere")
    assert done.returncode == 2
    assert "nowhere: no such file or directory" in done.stderr


def test_the_page_of_an_imported_ticket_imports_as_the_same_record(project: Path) -> None:
    ticket(project, "import", "old")
    record = project / "tickets" / "Q7-NET-04.yaml"
    first = record.read_bytes()
    report = [sys.executable, "-m", "esper_audit", "report"]
    subprocess.run(report, cwd=project, check=True, capture_output=True)
    again = ticket(project, "import", "reports/tickets/Q7-NET-04.md", "--output", "again")
    assert again.returncode == 0
    assert (project / "again" / "Q7-NET-04.yaml").read_bytes() == first


def test_a_sound_corpus_has_nothing_to_lint(project: Path) -> None:
    ticket(project, "import", "old")
    done = ticket(project, "lint")
    assert (done.returncode, done.stdout) == (0, "1 ticket, 0 problems\n")


def test_a_quote_that_is_not_in_the_source_is_a_problem_with_its_place(project: Path) -> None:
    (project / "old" / "Q7-NET-04.md").write_text(form(quote="level = pump.level()"))
    ticket(project, "import", "old")
    done = ticket(project, "lint")
    assert done.returncode == 1
    text = " ".join(done.stdout.split())
    assert "tickets/Q7-NET-04.yaml:14: quote-not-found: lib/valve.py does not contain" in text
    (problem,) = data(ticket(project, "lint", "--format", "json"))["problems"]
    assert problem["lint"] == "quote-not-found"
    assert problem["key"] == ["evidence", 0]
    assert ticket(project, "lint", "--select", "dangling-link").returncode == 0


def test_a_lint_that_does_not_exist_is_suggested(project: Path) -> None:
    done = ticket(project, "lint", "--select", "dangling-links")
    assert done.returncode == 2
    assert "did you mean 'dangling-link'" in done.stderr


def test_lints_say_what_they_look_for(project: Path) -> None:
    done = ticket(project, "lint", "--list")
    assert done.returncode == 0
    assert "unknown-commit\n    A resolution" in done.stdout


def test_listing_tickets_needs_no_markdown_parser(project: Path) -> None:
    ticket(project, "import", "old")
    script = "import sys; from esper_audit.cli import main\n"
    script += "sys.argv = ['esper-audit', 'ticket', sys.argv[1], *sys.argv[2:]]\n"
    script += "try:\n    main()\nexcept SystemExit:\n    pass\n"
    script += "print(sorted({'markdown_it', 'torch'} & set(sys.modules)), file=sys.stderr)"
    for verb, imported in ((["list"], "[]"), (["import", "old", "--dry-run"], "['markdown_it']")):
        done = subprocess.run(
            [sys.executable, "-c", script, *verb],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr.strip() == imported


def test_a_folder_of_which_nothing_is_read_is_no_success(project: Path) -> None:
    (project / "empty").mkdir()
    for name in ("a.png", "b.png", "c.docx"):
        (project / "empty" / name).touch()
    done = ticket(project, "import", "empty")
    assert done.returncode == 3
    assert done.stdout == "nothing was read\nnot read: 1 .docx, 2 .png\n"


def test_columns_of_a_table_may_be_named(project: Path) -> None:
    (project / "list.csv").write_text("Nr;Betreff\n1;Ventil\n")
    assert ticket(project, "import", "list.csv").returncode == 3
    assert ticket(project, "import", "list.csv", "--column", "title").returncode == 2
    assert ticket(project, "import", "list.csv", "--column", "title=Betreff").returncode == 0
    assert "title: Ventil" in (project / "tickets" / "LIST-1.yaml").read_text()


def test_problems_may_be_grouped_by_lint(project: Path) -> None:
    for name in ("Q7-NET-05", "Q7-NET-06"):
        (project / "old" / f"{name}.md").write_text(form(id=name, quote="level = none()"))
    ticket(project, "import", "old")
    plain = ticket(project, "lint")
    done = ticket(project, "lint", "--grouped")
    heads = [line for line in done.stdout.splitlines() if not line.startswith((" ", "not looked"))]
    assert done.returncode == 1
    assert heads[-1] == plain.stdout.splitlines()[-1]
    numbers = [int(head.rsplit(" ", 2)[1]) for head in heads[:-1]]
    assert sum(numbers) == int(heads[-1].rsplit(" ", 2)[1]) > 0
    assert numbers == sorted(numbers, reverse=True)
