"""The report of an import as text and as data: the files, the filled fields, and the text without field."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.text.markdown import count
from esper_audit.text.terminal import prose_width
from esper_audit.tickets.importing.batch import BatchEntry, ImportState
from esper_audit.tickets.ticket import Ticket

FILE_WIDTH = 34
MOST_WITH_EMPTY = 60  # entries of which the empty fields are listed
# The fields of the form; the tool fills the other fields of a ticket.
FIELDS = (
    "severity", "created", "updated", "domain", "batch", "agent", "assignee", "categories", "locations",
    "summary", "description", "why_it_matters", "evidence", "fix", "verification", "related", "reviews",
    "resolution", "report", "section",
)  # fmt: skip


def filled_fields(ticket: Ticket) -> list[str]:
    """Return the fields that the document filled."""
    stated = {"severity": not ticket.severity_reason, "summary": ticket.summary != ticket.title}
    values = msgspec.structs.asdict(ticket)
    return [name for name in FIELDS if stated.get(name, bool(values[name]))]


def extra_places(ticket: Ticket) -> list[str]:
    """Return the sections of a ticket's `extra`, each once."""
    return list(
        dict.fromkeys(
            " / ".join(filter(None, [part.section, part.heading or part.row]))
            or "(before the first section)"
            for part in ticket.extra
        )
    )


def text_report(entries: Sequence[BatchEntry], written: str, others: Sequence[str] = ()) -> str:
    """Return the table of an import with its totals.

    `written` is the sentence about the written files, `others` are the kinds of files that were not read.
    """
    not_read = [f"not read: {', '.join(others)}"] if others else []
    if not entries:
        return "\n".join(["nothing was read", *not_read]) + "\n"
    lines = [f"{'FILE':{FILE_WIDTH}} {'TICKET':20} {'FIELDS':>7} {'EXTRA':>6}  STATE"]
    for entry in entries:
        lines += _entry_lines(entry, is_long=len(entries) > MOST_WITH_EMPTY)
    return "\n".join([*lines, "", *_total_lines(entries, written), *not_read]) + "\n"


def data_report(entries: Sequence[BatchEntry]) -> list[dict[str, object]]:
    """Return an import as data, one object per ticket or refused file."""
    return [
        {
            "file": entry.file,
            "ticket": entry.ticket.id if entry.ticket else None,
            "state": entry.state.value,
            "status": entry.ticket.status.value if entry.ticket else None,
            "fields": filled_fields(entry.ticket) if entry.ticket else [],
            "extra": extra_places(entry.ticket) if entry.ticket else [],
            "contradictions": entry.contradictions,
            "unaccounted": entry.missing,
            "problem": entry.problem,
        }
        for entry in entries
    ]


def _entry_lines(entry: BatchEntry, *, is_long: bool) -> Iterator[str]:
    shown = entry.file if len(entry.file) <= FILE_WIDTH else "..." + entry.file[3 - FILE_WIDTH :]
    ticket = entry.ticket
    if ticket is None:
        yield f"{shown:{FILE_WIDTH}} {'-':20} {'-':>7} {'-':>6}  {entry.state}"
    else:
        fields = f"{len(filled_fields(ticket))}/{len(FIELDS)}"
        extra = len(ticket.extra)
        yield f"{shown:{FILE_WIDTH}} {ticket.id:20} {fields:>7} {extra:>6}  {entry.state}"
        empty = [name for name in FIELDS if name not in filled_fields(ticket)]
        yield from _wrapped("empty", [] if is_long else empty, ", ")
        yield from _wrapped("extra", extra_places(ticket), "; ")
    yield from _wrapped("contradiction", entry.contradictions, "; ")
    yield from _wrapped("not imported", entry.missing, " | ")
    yield from _wrapped("reason", [entry.problem] if entry.problem else [], "")


def _wrapped(name: str, values: Sequence[str], separator: str) -> list[str]:
    if not values:
        return []
    text = f"{name}: {separator.join(values)}"
    return textwrap.wrap(text, prose_width(), initial_indent="    ", subsequent_indent="      ")


def _total_lines(entries: Sequence[BatchEntry], written: str) -> Iterator[str]:
    states = Counter(entry.state for entry in entries)
    totals = [f"{states[state]} {state}" for state in ImportState if states[state]]
    read = len({entry.file for entry in entries})
    yield f"{count(read, 'file')}: {', '.join(totals)}; {written}"
    tickets = [entry.ticket for entry in entries if entry.ticket]
    fields = Counter(name for ticket in tickets for name in filled_fields(ticket))
    if len(tickets) > 1:
        shown = ", ".join(f"{name} {fields[name]}" for name in FIELDS)
        yield from textwrap.wrap(
            f"filled fields of {len(tickets)} tickets: {shown}",
            prose_width(),
            subsequent_indent="  ",
        )
    contradictory = sum(bool(entry.contradictions) for entry in entries)
    if contradictory:
        yield f"contradictions in {count(contradictory, 'ticket')}"
