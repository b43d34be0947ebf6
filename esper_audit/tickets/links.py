"""Links between tickets: each has its inverse in the other ticket, and none leads to a missing ticket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from esper_audit.text.phrases import did_you_mean
from esper_audit.tickets.parts import Related, Relation
from esper_audit.tickets.ticket import Ticket

INVERSE_RELATIONS = {
    Relation.RELATED: Relation.RELATED,
    Relation.DUPLICATE: Relation.DUPLICATE,
    Relation.BLOCKS: Relation.BLOCKED_BY,
    Relation.BLOCKED_BY: Relation.BLOCKS,
}
ORDERED = frozenset({Relation.BLOCKS, Relation.BLOCKED_BY})


class BadLink(msgspec.Struct, frozen=True):
    """An invalid link: its ticket, its position in `related`, and the problem."""

    ticket: str
    position: int
    problem: str

    @property
    def key(self) -> tuple[str | int, ...]:
        """The path of the key in the ticket's file."""
        return ("related", self.position, "id")


def complete_links(tickets: Mapping[str, Ticket]) -> dict[str, Ticket]:
    """Return the tickets with the inverse of every link added to the other ticket.

    No link is removed here. Any link back is enough for `related`. A link is removed by removing it from both tickets.
    """
    result = dict(tickets)
    for ticket in tickets.values():
        for link in ticket.related:
            other = result.get(link.id)
            if other is None or other.id == ticket.id or _has_inverse(other, ticket.id, link):
                continue
            back = Related(id=ticket.id, relation=INVERSE_RELATIONS[link.relation])
            result[other.id] = msgspec.structs.replace(other, related=[*other.related, back])
    return result


def bad_links(tickets: Mapping[str, Ticket]) -> Iterator[BadLink]:
    """Yield the links to missing tickets, to the ticket itself, and in both directions at once."""
    for ticket in tickets.values():
        earlier: set[tuple[str, Relation]] = set()
        for position, link in enumerate(ticket.related):
            problem = _problem(ticket, link, tickets)
            if (link.id, INVERSE_RELATIONS[link.relation]) in earlier and link.relation in ORDERED:
                problem = f"{link.id} both blocks this ticket and is blocked by it"
            if problem:
                yield BadLink(ticket.id, position, problem)
            earlier.add((link.id, link.relation))


def _problem(ticket: Ticket, link: Related, tickets: Mapping[str, Ticket]) -> str:
    if link.id == ticket.id:
        return "a ticket cannot be linked to itself"
    if link.id not in tickets:
        near = did_you_mean(link.id, tickets) if len(tickets) > 1 else ""
        return f"there is no ticket '{link.id}'{near if 'did you mean' in near else ''}"
    return ""


def _has_inverse(other: Ticket, ticket_id: str, link: Related) -> bool:
    """Return whether the other ticket has the inverse of a link."""
    relations = {back.relation for back in other.related if back.id == ticket_id}
    if link.relation is Relation.RELATED:
        return bool(relations)
    return INVERSE_RELATIONS[link.relation] in relations
