"""The dependencies between the repairs of tickets, as a Mermaid graph of their `blocks` links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from esper_audit.tickets.parts import Relation
from esper_audit.tickets.states import ACTIVE
from esper_audit.tickets.ticket import Ticket

MOST_LETTERS = 60  # of a title in a node
# Characters that end or change a quoted label.
ESCAPED = str.maketrans({'"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "'", "#": "#35;", "\\": "/"})


def change_graph(tickets: Mapping[str, Ticket]) -> list[str]:
    """Return the lines of a graph of all tickets that block another or are blocked, none without any."""
    edges = sorted(_edges(tickets))
    names = {key: f"t{number}" for number, key in enumerate(sorted({k for e in edges for k in e}))}
    if not names:
        return []
    return [
        "flowchart TD",
        *(f'    {name}["{_label(tickets[key])}"]' for key, name in names.items()),
        *(f"    {names[blocking]} --> {names[blocked]}" for blocking, blocked in edges),
        "    classDef resolved stroke-dasharray: 4 4",
        *(f"    class {names[k]} resolved" for k in names if tickets[k].status not in ACTIVE),
    ]


def independent_tickets(tickets: Mapping[str, Ticket]) -> list[Ticket]:
    """Return the active tickets that no link of the graph concerns, by id."""
    linked = {key for edge in _edges(tickets) for key in edge}
    return [t for key, t in sorted(tickets.items()) if t.status in ACTIVE and key not in linked]


def _edges(tickets: Mapping[str, Ticket]) -> Iterable[tuple[str, str]]:
    """Return the pairs of a ticket that blocks and one that it blocks, of which both exist."""
    pairs = set()
    for key, ticket in tickets.items():
        for related in ticket.related:
            if related.id not in tickets:
                continue
            if related.relation is Relation.BLOCKS:
                pairs.add((key, related.id))
            elif related.relation is Relation.BLOCKED_BY:
                pairs.add((related.id, key))
    return pairs


def _label(ticket: Ticket) -> str:
    title = " ".join(ticket.title.split())
    if len(title) > MOST_LETTERS:
        title = f"{title[: MOST_LETTERS - 3].rstrip()}..."
    return f"{ticket.id} ({ticket.severity}, {ticket.status}): {title}".translate(ESCAPED)
