"""Links between tickets: what one says of another, the other says back; nobody links to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from esper_audit.text.phrases import did_you_mean
from esper_audit.tickets.parts import Related, Relation
from esper_audit.tickets.ticket import Ticket

SAID_BACK = {
    Relation.RELATED: Relation.RELATED,
    Relation.DUPLICATE: Relation.DUPLICATE,
    Relation.BLOCKS: Relation.BLOCKED_BY,
    Relation.BLOCKED_BY: Relation.BLOCKS,
}
ORDERED = frozenset({Relation.BLOCKS, Relation.BLOCKED_BY})


class BadLink(msgspec.Struct, frozen=True):
    """A link that cannot be: whose it is, which of them, and what is wrong."""

    ticket: str
    position: int
    problem: str

    @property
    def key(self) -> tuple[str | int, ...]:
        """Where in the ticket it stands."""
        return ("related", self.position, "id")


def in_step(tickets: Mapping[str, Ticket]) -> dict[str, Ticket]:
    """Return the tickets with every link said back by the other end; nothing is taken away.

    Any link back answers a `related`, which says least. A link is gone when both ends drop it.
    """
    result = dict(tickets)
    for ticket in tickets.values():
        for link in ticket.related:
            other = result.get(link.id)
            if (
                other is not None
                and other.id != ticket.id
                and not _says_back(other, ticket.id, link)
            ):
                back = Related(id=ticket.id, relation=SAID_BACK[link.relation])
                result[other.id] = msgspec.structs.replace(other, related=[*other.related, back])
    return result


def bad_links(tickets: Mapping[str, Ticket]) -> Iterator[BadLink]:
    """Yield the links to tickets that are not there, to the ticket itself, and both ways at once."""
    for ticket in tickets.values():
        seen: set[tuple[str, Relation]] = set()
        for position, link in enumerate(ticket.related):
            problem = _problem(ticket, link, tickets)
            if (link.id, SAID_BACK[link.relation]) in seen and link.relation in ORDERED:
                problem = f"{link.id} both blocks this ticket and is blocked by it"
            if problem:
                yield BadLink(ticket.id, position, problem)
            seen.add((link.id, link.relation))


def _problem(ticket: Ticket, link: Related, tickets: Mapping[str, Ticket]) -> str:
    if link.id == ticket.id:
        return "a ticket cannot be linked to itself"
    if link.id not in tickets:
        near = did_you_mean(link.id, tickets) if len(tickets) > 1 else ""
        return f"no ticket is called '{link.id}'{near if 'did you mean' in near else ''}"
    return ""


def _says_back(other: Ticket, ticket_id: str, link: Related) -> bool:
    said = {back.relation for back in other.related if back.id == ticket_id}
    return bool(said) if link.relation is Relation.RELATED else SAID_BACK[link.relation] in said
