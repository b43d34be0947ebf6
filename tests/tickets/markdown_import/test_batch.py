"""Reading many files: ids are unique, tickets are not overwritten, an invalid file stops no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.markdown_forms import form

from esper_audit.findings.errors import UsageError
from esper_audit.tickets.markdown_import.batch import (
    BatchEntry,
    ImportState,
    find_documents,
    read_documents,
)
from esper_audit.tickets.markdown_import.import_report import data_report, text_report
from esper_audit.tickets.markdown_import.terms.paths import PathMap
from esper_audit.tickets.ticket import Ticket


def read(folder: Path, known: dict[str, Ticket] | None = None) -> list[BatchEntry]:
    return read_documents(find_documents([str(folder)]), PathMap(), known or {}, "tickets")


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
    assert len(read_documents([str(tmp_path / "ticket")], PathMap(), {}, "tickets")) == 1


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
    assert second.problem.endswith("has the same id, but differs in: fix")


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
    assert again.problem == "tickets/Q7-NET-04.yaml exists, but differs in: fix, related"


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
