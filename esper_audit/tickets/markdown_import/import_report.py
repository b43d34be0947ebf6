"""The account of an import, at eighty columns and as data: each file, the fields it filled, what no field took."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.text.markdown import count
from esper_audit.tickets.markdown_import.batch import BatchEntry, ImportState
from esper_audit.tickets.ticket import Ticket

WIDTH = 80
FILE_WIDTH = 34
# What a form can say; the other fields are the tool's own.
FIELDS = (
    "severity", "created", "updated", "domain", "batch", "agent", "assignee", "categories", "locations",
    "summary", "description", "why_it_matters", "evidence", "fix", "verification", "related", "reviews",
    "resolution", "report", "section",
)  # fmt: skip


def filled_fields(ticket: Ticket) -> list[str]:
    """Return the fields in which a form said something."""
    stated = {"severity": not ticket.severity_reason, "summary": ticket.summary != ticket.title}
    values = msgspec.structs.asdict(ticket)
    return [name for name in FIELDS if stated.get(name, bool(values[name]))]


def extra_places(ticket: Ticket) -> list[str]:
    """Return the places in which something stands that no field took, each once."""
    return list(
        dict.fromkeys(
            " / ".join(filter(None, [part.section, part.heading or part.row]))
            or "(above all sections)"
            for part in ticket.extra
        )
    )


def text_report(entries: Sequence[BatchEntry], written: str) -> str:
    """Return the table of an import and what it comes to; `written` says where the tickets went."""
    lines = [f"{'FILE':{FILE_WIDTH}} {'TICKET':20} {'FIELDS':>7} {'EXTRA':>6}  STATE"]
    for entry in entries:
        lines += _entry_lines(entry)
    return "\n".join([*lines, "", *_total_lines(entries, written)]) + "\n"


def data_report(entries: Sequence[BatchEntry]) -> list[dict[str, object]]:
    """Return an import as data: one object a ticket or refused file."""
    return [
        {
            "file": entry.file,
            "ticket": entry.ticket.id if entry.ticket else None,
            "state": entry.state.value,
            "status": entry.ticket.status.value if entry.ticket else None,
            "fields": filled_fields(entry.ticket) if entry.ticket else [],
            "extra": extra_places(entry.ticket) if entry.ticket else [],
            "contradictions": entry.contradictions,
            "unaccounted": entry.lost,
            "problem": entry.problem,
        }
        for entry in entries
    ]


def _entry_lines(entry: BatchEntry) -> Iterator[str]:
    shown = entry.file if len(entry.file) <= FILE_WIDTH else "..." + entry.file[3 - FILE_WIDTH :]
    ticket = entry.ticket
    if ticket is None:
        yield f"{shown:{FILE_WIDTH}} {'-':20} {'-':>7} {'-':>6}  {entry.state}"
    else:
        fields = f"{len(filled_fields(ticket))}/{len(FIELDS)}"
        extra = len(ticket.extra)
        yield f"{shown:{FILE_WIDTH}} {ticket.id:20} {fields:>7} {extra:>6}  {entry.state}"
        yield from _wrapped(
            "empty", [name for name in FIELDS if name not in filled_fields(ticket)], ", "
        )
        yield from _wrapped("extra", extra_places(ticket), "; ")
    yield from _wrapped("contradiction", entry.contradictions, "; ")
    yield from _wrapped("in no field", entry.lost, " | ")
    yield from _wrapped("because", [entry.problem] if entry.problem else [], "")


def _wrapped(name: str, what: Sequence[str], between: str) -> list[str]:
    text = f"{name}: {between.join(what)}"
    return (
        textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="      ")
        if what
        else []
    )


def _total_lines(entries: Sequence[BatchEntry], written: str) -> Iterator[str]:
    states = Counter(entry.state for entry in entries)
    told = [f"{states[state]} {state}" for state in ImportState if states[state]]
    read = len({entry.file for entry in entries})
    yield f"{count(read, 'file')}: {', '.join(told)}; {written}"
    tickets = [entry.ticket for entry in entries if entry.ticket]
    fields = Counter(name for ticket in tickets for name in filled_fields(ticket))
    if len(tickets) > 1:
        shown = ", ".join(f"{name} {fields[name]}" for name in FIELDS)
        yield from textwrap.wrap(
            f"fields filled, of {len(tickets)} tickets: {shown}", WIDTH, subsequent_indent="  "
        )
    disputed = sum(bool(entry.contradictions) for entry in entries)
    if disputed:
        yield f"contradictions in {count(disputed, 'ticket')}"
