"""A list of tickets for the terminal: id, severity, status, place and title of each in one line."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import first_of_lines
from esper_audit.text.markdown import count
from esper_audit.text.terminal import CUT, SEVERITY_STYLES, StyledText
from esper_audit.tickets.states import ACTIVE, Status
from esper_audit.tickets.ticket import Ticket

INDENT = "  "
NARROWEST_TITLE = 20
NARROWEST_PLACE = 16
WIDEST_PLACE = 48


def styled_list(
    tickets: Sequence[Ticket], resolved_left_out: int, width: int
) -> Iterator[StyledText]:
    """Yield a line for each ticket with its place, cut at `width` columns, and a summary.

    Where long ids leave no room, place and title are on a line of their own. Equal tickets of a check
    share a line, with the ids of the others below it.
    """
    groups = _equal_tickets(tickets)
    id_width = max((len(ticket.id) for ticket in tickets), default=0)
    status_width = max((len(ticket.status) for ticket in tickets), default=0)
    left = width - id_width - status_width - 6
    is_narrow = left <= NARROWEST_PLACE + NARROWEST_TITLE
    left = width - len(INDENT) - 1 if is_narrow else left
    longest = max((len(_place(group[0])) for group in groups), default=0)
    place_width = min(longest, WIDEST_PLACE, max(left // 2, NARROWEST_PLACE))
    for group in groups:
        ticket = group[0]
        style = "" if ticket.status in ACTIVE else "dim"
        yield StyledText(ticket.id.ljust(id_width), "bold")
        yield StyledText(f" {ticket.severity} ", SEVERITY_STYLES[ticket.severity])
        status = f"{ticket.status}\n{INDENT}" if is_narrow else f"{ticket.status:<{status_width}} "
        yield StyledText(status, style)
        yield StyledText(f"{_cut_left(_place(ticket), place_width).ljust(place_width)} ", "cyan")
        yield StyledText(f"{_cut(ticket.title, max(left - place_width, NARROWEST_TITLE))}\n", style)
        yield from _others(group[1:], width)
    yield from _summary(tickets, resolved_left_out)


def _equal_tickets(tickets: Sequence[Ticket]) -> list[list[Ticket]]:
    """Return the tickets in their order, those of a check with equal title, severity and status together."""
    groups: dict[tuple[str, ...], list[Ticket]] = {}
    for ticket in tickets:
        content = (ticket.check, ticket.title, ticket.severity, ticket.status)
        groups.setdefault(content if ticket.check else (ticket.id,), []).append(ticket)
    return list(groups.values())


def _others(tickets: Sequence[Ticket], width: int) -> Iterator[StyledText]:
    if tickets:
        named = ", ".join(f"{ticket.id} {_place(ticket)}" for ticket in tickets)
        text = f"and {len(tickets)} equal: {named}"
        lines = textwrap.wrap(
            text,
            width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield StyledText("\n".join(lines) + "\n", "dim")


def _place(ticket: Ticket) -> str:
    """Return the first place of a ticket, empty if it has none."""
    if not ticket.locations:
        return ""
    first = ticket.locations[0]
    line = first_of_lines(first.lines)
    return f"{first.path}:{line}" if line else first.path


def _cut(title: str, width: int) -> str:
    one_line = " ".join(title.split())
    if len(one_line) <= width:
        return one_line
    return one_line[: width - len(CUT)].rstrip() + CUT


def _cut_left(place: str, width: int) -> str:
    """Return a place without its beginning where it is too long: its end identifies it."""
    return place if len(place) <= width else CUT + place[len(CUT) - width :]


def _summary(tickets: Sequence[Ticket], resolved_left_out: int) -> Iterator[StyledText]:
    statuses = Counter(ticket.status for ticket in tickets)
    severities = Counter(ticket.severity for ticket in tickets if ticket.status in ACTIVE)
    counted = ", ".join(f"{statuses[s]} {s}" for s in Status if statuses[s])
    rated = ", ".join(f"{number} {severity}" for severity, number in sorted(severities.items()))
    yield StyledText(count(len(tickets), "ticket"), "bold")
    yield StyledText(f": {counted}" if counted else "")
    yield StyledText(f" (active: {rated})" if rated else "")
    more = f"; {resolved_left_out} resolved (see --status all)" if resolved_left_out else ""
    yield StyledText(f"{more}\n", "dim")
