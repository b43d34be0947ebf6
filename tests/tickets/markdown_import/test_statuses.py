"""The statuses of a document are decided by one rule, and contradictions are reported."""

from __future__ import annotations

import pytest
from support.markdown_forms import contradictions, form, read, row, with_status

from esper_audit.tickets.markdown_import.terms.severities import severity_in
from esper_audit.tickets.markdown_import.terms.statuses import (
    StatusPlace,
    folder_status,
    read_status,
)

STATUSES = {
    "open": "open",
    "`fix-in-progress`": "investigating",
    "Under Investigation": "investigating",
    "in-review": "in-review",
    "CLOSED": None,
    "closed (fixed)": "fixed",
    "✅ FIXED": "fixed",
    "Already Fixed (Option B)": "fixed",
    "not fixed": "open",
    "Partially fixed": "investigating",
    "won't fix (duplicate of X)": "wont-fix",
    "WONTFIX": "wont-fix",
    "Won’t Fix": "wont-fix",
    "duplicate of Q7-NET-05": "duplicate",
    "NOT-A-BUG / WONTFIX": "not-a-bug",
    "invalid": "not-a-bug",
    "works as designed": "not-a-bug",
    "Confirmed, fixed": "fixed",
    "Confirmed": "open",
    "triaged": "open",
    "Resolved": "fixed",
}
SEVERITIES = {
    "`P2`": "P2",
    "P1 (was P3)": "P1",
    "~~P1~~ P3": "P3",
    "P1 → P3": "P3",
    "High": "P1",
    "CRITICAL": "P0",
    "Medium - for now": "P2",
    "low": "P3",
    "Trivial": "P4",
    "SEV-2": "P2",
    "Priority 1": "P1",
    "unknown": None,
}
END = "## Resolution\n\n**Status:** {}\n\nSeen on the bench."


@pytest.mark.parametrize("text", STATUSES)
def test_a_status_is_read_from_words(text: str) -> None:
    found = read_status(StatusPlace.HEAD, text)
    assert found is not None
    assert (found.status.value if found.status else None) == STATUSES[text]


def test_other_words_are_no_status() -> None:
    assert read_status(StatusPlace.HEAD, "see the pump") is None
    assert folder_status("tickets") is None
    assert folder_status("fixed by ada") is None


@pytest.mark.parametrize("text", SEVERITIES)
def test_a_severity_is_read_from_words(text: str) -> None:
    found = severity_in(text)
    assert (found.value if found else None) == SEVERITIES[text]


@pytest.mark.parametrize(
    ("head", "folder", "end", "status"),
    [
        ("open", "", "", "open"),
        ("open", "triaged", "", "open"),
        ("closed", "", "", "fixed"),
        ("closed", "wontfix", "", "wont-fix"),
        ("open", "fixed", "", "fixed"),
        ("open", "not-a-bug", "Won't Fix", "wont-fix"),
        ("fixed", "", "Not a bug", "not-a-bug"),
        ("closed", "closed", "", "fixed"),
        ("not-a-bug", "closed", "", "not-a-bug"),
        ("open", "closed", "", "fixed"),
        ("closed", "triaged", "", "open"),
    ],
)
def test_the_resolution_comes_before_the_folder_and_that_before_the_head(
    head: str, folder: str, end: str, status: str
) -> None:
    text = form(END.format(end) if end else "", metadata=with_status(head))
    assert read(text, folder=folder).status.value == status


@pytest.mark.parametrize(
    ("head", "folder", "end"),
    [
        ("open", "triaged", ""),
        ("closed", "fixed", "Fixed"),
        ("fixed", "", "Fixed"),
        ("closed", "wontfix", ""),
    ],
)
def test_statements_that_agree_are_no_contradiction(head: str, folder: str, end: str) -> None:
    text = form(END.format(end) if end else "", metadata=with_status(head))
    assert contradictions(text, folder) == []


@pytest.mark.parametrize(
    ("head", "folder", "end"),
    [
        ("open", "fixed", ""),
        ("closed", "triaged", ""),
        ("fixed", "", "Not a bug"),
        ("closed", "not-a-bug", "Won't fix"),
    ],
)
def test_contradictory_statements_are_reported_and_kept(head: str, folder: str, end: str) -> None:
    text = form(END.format(end) if end else "", metadata=with_status(head))
    (contradiction,) = contradictions(text, folder)
    assert contradiction.startswith("status: ")
    assert all(word in contradiction for word in (head, folder, end) if word)
    ticket = read(text, folder=folder)
    words = {word.words for word in ticket.as_written if word.field == "status"} | {
        ticket.status.value
    }
    assert {head, folder} - {""} <= words


def test_a_row_and_a_line_elsewhere_are_statements_too() -> None:
    by_row = form(
        metadata=row("Resolution", "`won't fix` (gone soon)").replace("`open`", "`closed`")
    )
    assert read(by_row).status.value == "wont-fix"
    elsewhere = form("## Notes\n\n**Status:** Fixed")
    assert contradictions(elsewhere) == ["status: head states open, another section states Fixed"]


def test_another_severity_is_a_contradiction() -> None:
    end = "## Resolution\n\n**Status:** Fixed\n\n- Original: P2\n- Revised: P4 (style)"
    assert contradictions(form(end, metadata=with_status("fixed"))) == [
        "severity: P2 is kept, the resolution states Revised: P4"
    ]
    assert contradictions(form("## Notes\n\n**Severity:** P0")) == [
        "severity: P2 is kept, 'Notes' states P0"
    ]


def test_another_id_in_the_file_name_is_a_contradiction() -> None:
    assert read(form(), name="Q7-NET-99.md").id == "Q7-NET-04"
    from esper_audit.tickets.importing.file_kinds import read_tickets
    from esper_audit.tickets.markdown_import.terms.paths import PathMap
    from esper_audit.tickets.markdown_import.ticket_id import DocumentOrigin

    (found,) = read_tickets(form(), DocumentOrigin("Q7-NET-99.md"), PathMap())
    assert found.contradictions == ["id: Q7-NET-04 is kept, the file name is Q7-NET-99.md"]


def test_the_history_begins_with_what_decided() -> None:
    text = form(END.format("Won't Fix"), metadata=with_status("closed"))
    (line,) = read(text, folder="fixed").history
    assert (line.date, line.by, line.after) == ("2025-03-05", "ticket import", "wont-fix")
    assert line.why == "Resolution says Won't Fix"
    assert read(form()).history[0].why == "head says open"
