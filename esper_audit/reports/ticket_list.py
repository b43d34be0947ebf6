"""A list of tickets for the terminal: id, severity, status and title of each in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from esper_audit.text.markdown import count
from esper_audit.text.terminal import StyledText
from esper_audit.tickets.states import ACTIVE, Status
from esper_audit.tickets.ticket import Ticket

SEVERITY_STYLES = {"P0": "bold red", "P1": "red", "P2": "red", "P3": "yellow", "P4": "dim"}
CUT = "..."
NARROWEST_TITLE = 20


def styled_list(
    tickets: Sequence[Ticket], resolved_left_out: int, width: int
) -> Iterator[StyledText]:
    """Yield a line for each ticket, cut at `width` columns, and a summary."""
    id_width = max((len(ticket.id) for ticket in tickets), default=0)
    status_width = max((len(ticket.status) for ticket in tickets), default=0)
    for ticket in tickets:
        style = "" if ticket.status in ACTIVE else "dim"
        yield StyledText(ticket.id.ljust(id_width), "bold")
        yield StyledText(f" {ticket.severity} ", SEVERITY_STYLES[ticket.severity])
        yield StyledText(f"{ticket.status.ljust(status_width)} ", style)
        title_width = max(width - id_width - status_width - 5, NARROWEST_TITLE)
        yield StyledText(f"{_cut(ticket.title, title_width)}\n", style)
    yield from _summary(tickets, resolved_left_out)


def _cut(title: str, width: int) -> str:
    one_line = " ".join(title.split())
    if len(one_line) <= width:
        return one_line
    return one_line[: width - len(CUT)].rstrip() + CUT


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
