"""The content of the index of tickets: all by status, counts by severity, domain and contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from esper_audit.text.markdown import code, count, markdown_cell
from esper_audit.tickets.query import sort_tickets
from esper_audit.tickets.states import ACTIVE, Status
from esper_audit.tickets.ticket import Ticket

NOTHING = "(none)"


def tickets_page(tickets: Iterable[Ticket]) -> dict[str, object]:
    """Return the content of the index, ready to print."""
    ordered = sort_tickets(tickets)
    active = sum(ticket.status in ACTIVE for ticket in ordered)
    return {
        "summary": f"{count(len(ordered), 'ticket')}, {active} active.",
        "statuses": [
            {"name": status.value, "tickets": [_row(t) for t in ordered if t.status is status]}
            for status in Status
            if any(ticket.status is status for ticket in ordered)
        ],
        "groups": [
            {"name": name, "rows": _grouped(ordered, key)}
            for name, key in GROUPS.items()
            if ordered
        ],
    }


def _row(ticket: Ticket) -> dict[str, str]:
    place = ticket.locations[0] if ticket.locations else None
    where = f"{place.path}:{place.lines}" if place and place.lines else place.path if place else ""
    return {
        "link": _link(ticket),
        "severity": ticket.severity,
        "title": markdown_cell(ticket.title),
        "where": code(where),
    }


def _link(ticket: Ticket) -> str:
    return f"[{ticket.id}]({ticket.id}.md)"


def _grouped(tickets: list[Ticket], key: Callable[[Ticket], str]) -> list[dict[str, str]]:
    """Return a row for each group: the numbers of active and resolved tickets, links to the active ones."""
    rows = []
    for name in sorted({key(ticket) for ticket in tickets}, key=lambda name: (not name, name)):
        group = [ticket for ticket in tickets if key(ticket) == name]
        active = [ticket for ticket in group if ticket.status in ACTIVE]
        rows.append(
            {
                "name": markdown_cell(name) or NOTHING,
                "active": str(len(active)),
                "resolved": str(len(group) - len(active)),
                "links": ", ".join(map(_link, active)),
            }
        )
    return rows


GROUPS: dict[str, Callable[[Ticket], str]] = {
    "severity": lambda ticket: ticket.severity.value,
    "domain": lambda ticket: ticket.domain,
    "contract": lambda ticket: ticket.contract,
}
