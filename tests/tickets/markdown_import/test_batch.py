"""Reading many files: ids are unique, tickets are not overwritten, an invalid file stops no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.markdown_forms import form

from esper_audit.findings.errors import UsageError
from esper_audit.tickets.importing.batch import (
    BatchEntry,
    BatchReader,
    ImportState,
    find_documents,
)
from esper_audit.tickets.importing.import_report import data_report, text_report
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.ticket import Ticket


def read(folder: Path, known: dict[str, Ticket] | None = None) -> list[BatchEntry]:
    return reader(known).read(find_documents([str(folder)]))


def reader(known: dict[str, Ticket] | None = None, *, rename: bool = False) -> BatchReader:
    return BatchReader(PathMap(), known or {}, "tickets", rename=rename)


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def other(text: str, ticket_id: str) -> str:
    return text.replace("Q7-NET-04", ticket_id)


def test_every_document_below_a_folder_is_read_in_order(tmp_path: Path) -> None:
    write(tmp_path, "b.md", other(form(), "Q7-NET-02"))
    write(tmp_path, "a/c.txt", other(form(), "Q7-NET-01"))
    write(tmp_path, "a/.hidden.md", "nothing")
    write(tmp_path, "picture.png", "nothing")
    entries = read(tmp_path)
    assert [entry.state for entry in entries] == [ImportState.NEW, ImportState.NEW]
    assert [entry.ticket.id for entry in entries if entry.ticket] == ["Q7-NET-01", "Q7-NET-02"]


def test_a_file_is_read_by_its_path_whatever_its_suffix(tmp_path: Path) -> None:
    write(tmp_path, "ticket", form())
    assert read(tmp_path) == []
    assert len(reader().read([str(tmp_path / "ticket")])) == 1


def test_a_path_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no such file"):
        find_documents(["nowhere"])


def test_an_invalid_file_stops_no_other(tmp_path: Path) -> None:
    write(tmp_path, "Q7-NET-04.md", form())
    write(tmp_path, "about.md", "# About\n\nTickets, in folders.\n")
    (tmp_path / "utf16.md").write_bytes(form().encode("utf-16"))
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    states = {os.path.basename(entry.file): entry for entry in read(tmp_path)}
    assert states["Q7-NET-04.md"].state is ImportState.NEW
    assert states["about.md"].problem.startswith("not a ticket: no id")
    assert "no severity" in states["about.md"].problem
    assert states["utf16.md"].problem.startswith("not UTF-8 text")
    assert states["gone.md"].problem.startswith("cannot be read")


def test_a_duplicate_id_is_refused_with_both_files(tmp_path: Path) -> None:
    write(tmp_path, "a.md", form())
    write(tmp_path, "b.md", form(fix="Something else."))
    first, second = read(tmp_path)
    assert first.state is ImportState.NEW
    assert second.state is ImportState.REFUSED
    assert first.file in second.problem
    assert "a.md has the same id and is kept; this one differs in: fix" in second.problem


def test_the_same_ticket_in_two_files_is_one(tmp_path: Path) -> None:
    write(tmp_path, "a.md", form())
    write(tmp_path, "b.md", form().replace("\n", "\r\n"))
    assert [entry.state for entry in read(tmp_path)] == [ImportState.NEW, ImportState.TWICE]


def test_an_existing_ticket_is_unchanged(tmp_path: Path) -> None:
    write(tmp_path, "a.md", form())
    (first,) = read(tmp_path)
    assert first.ticket is not None
    (again,) = read(tmp_path, {first.ticket.id: first.ticket})
    assert again.state is ImportState.UNCHANGED


def test_a_ticket_that_differs_from_the_existing_one_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.md", form())
    (first,) = read(tmp_path)
    assert first.ticket is not None
    write(tmp_path, "a.md", form(fix="Something else.", related=""))
    (again,) = read(tmp_path, {first.ticket.id: first.ticket})
    assert again.state is ImportState.REFUSED
    assert again.problem == (
        "tickets/Q7-NET-04.yaml exists and is kept; this one differs in: fix, related"
    )


def test_a_folder_up_to_two_levels_above_is_a_status(tmp_path: Path) -> None:
    write(tmp_path, "fixed/batch7/a.md", form())
    write(tmp_path, "fixed/batch7/deeper/b.md", other(form(), "Q7-NET-05"))
    near, far = (entry.ticket for entry in read(tmp_path))
    assert near is not None
    assert near.status.value == "fixed"
    assert far is not None
    assert far.status.value == "open"


def test_the_report_fits_eighty_columns_and_is_complete(tmp_path: Path) -> None:
    write(tmp_path, "fixed/with-a-name-that-is-long-enough-to-be-cut.md", form("## Notes\n\nmore"))
    write(tmp_path, "about.md", "# About\n")
    text = text_report(read(tmp_path), "written to tickets/")
    assert max(map(len, text.splitlines())) <= 80
    for part in (
        "Q7-NET-04",
        "extra: Notes",
        "contradiction: status:",
        "refused",
        "1 new",
        "empty: ",
    ):
        assert part in text
    (refused, read_one) = data_report(read(tmp_path))
    assert refused["ticket"] is None
    assert read_one["extra"] == ["Notes"]
    assert read_one["unaccounted"] == []
    assert "reviews" not in list(read_one["fields"])  # type: ignore[call-overload]  # a list of names


def test_a_duplicate_id_may_be_numbered(tmp_path: Path) -> None:
    write(tmp_path, "a.md", form())
    write(tmp_path, "b.md", form(fix="Something else."))
    write(tmp_path, "c.md", form(fix="Yet something else."))
    entries = reader(rename=True).read(find_documents([str(tmp_path)]))
    tickets = {entry.ticket.id: entry.ticket for entry in entries if entry.ticket}
    assert list(tickets) == ["Q7-NET-04", "Q7-NET-04-2", "Q7-NET-04-3"]
    assert all(entry.state is ImportState.NEW for entry in entries)
    assert next((w.field, w.words) for w in tickets["Q7-NET-04-2"].as_written) == (
        "id",
        "Q7-NET-04",
    )
    again = reader(tickets, rename=True).read(find_documents([str(tmp_path)]))
    assert [entry.state for entry in again] == [ImportState.UNCHANGED] * 3


REPORT = """# Tank Deep Dive: {part}

**Date:** 2025-03-02

## Findings

### 1. HIGH - The tank leaks

**Location:** `tank.py:12`

**Issue:** It leaks in {part}.
"""


def test_reports_of_one_day_have_ids_of_their_own(tmp_path: Path) -> None:
    for part in ("Valves and Pumps", "Valves and Hoses", "Valves"):
        write(tmp_path, f"{part}.md".lower(), REPORT.format(part=part))
    entries = read(tmp_path)
    assert [entry.state for entry in entries] == [ImportState.NEW] * 6, entries
    tickets = {entry.ticket.id: entry.ticket for entry in entries if entry.ticket}
    assert len(tickets) == 6
    assert [entry.state for entry in read(tmp_path, tickets)] == [ImportState.UNCHANGED] * 6
    for name in ("valves.md", "valves and pumps.md", "valves and hoses.md"):  # each alone, later
        alone = reader(tickets).read([str(tmp_path / name)])
        assert {entry.state for entry in alone} == {ImportState.UNCHANGED}, name


def test_a_report_that_was_edited_is_refused_and_no_second_one(tmp_path: Path) -> None:
    write(tmp_path, "tank.md", REPORT.format(part="Valves"))
    tickets = {entry.ticket.id: entry.ticket for entry in read(tmp_path) if entry.ticket}
    write(tmp_path, "tank.md", REPORT.format(part="Valves") + "\nMore.\n")
    assert ImportState.REFUSED in {entry.state for entry in read(tmp_path, tickets)}
    assert ImportState.NEW not in {entry.state for entry in read(tmp_path, tickets)}
