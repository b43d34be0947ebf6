"""The tickets of a run, from file to file: hand edits noted, findings matched, links in step, all written."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from esper_audit.audit import Audit
from esper_audit.contract import Contract
from esper_audit.errors import TicketError
from esper_audit.git import commit_named
from esper_audit.ticket import Ticket
from esper_audit.ticket_links import bad_links, in_step
from esper_audit.ticket_states import RESOLVED
from esper_audit.ticket_store import TicketStore
from esper_audit.ticket_upkeep import noted, reproposed
from esper_audit.ticketing import Sync, sync


class Books(msgspec.Struct, frozen=True):
    """The tickets after a run, the ids of those that were written, and what is wrong between them."""

    sync: Sync
    written: list[str]
    problems: list[str]


def keep_books(
    store: TicketStore, audit: Audit, contracts: Mapping[str, Contract], today: str
) -> Books:
    """Bring the tickets of a store up to date with an audit; to be called while nobody else writes."""
    known = store.load()
    done = sync(all_noted(store, known, today), audit, contracts, today)
    tickets = in_step(reproposed(done.tickets, audit.findings, today))
    written = save_all(store, tickets, known)
    return Books(msgspec.structs.replace(done, tickets=tickets), written, problems(store, tickets))


def all_noted(store: TicketStore, known: Mapping[str, Ticket], today: str) -> dict[str, Ticket]:
    """Return the tickets with the changes that people made by hand in their histories.

    Raises TicketError, with a line for each, where such a change may not be.
    """
    tickets: dict[str, Ticket] = {}
    refused: list[str] = []
    for ticket_id, ticket in known.items():
        try:
            tickets[ticket_id] = noted(ticket, today)
            _require_commits(store, ticket, tickets[ticket_id])
        except TicketError as error:
            refused.append(f"{store.line(ticket_id, ('status',))}: {error}")
    if refused:
        raise TicketError("\n".join(refused))
    return tickets


def _require_commits(store: TicketStore, ticket: Ticket, after: Ticket) -> None:
    """Refuse a resolution by hand that names a commit which is not there."""
    moves = [change for change in after.history[len(ticket.history) :] if change.before]
    is_new = bool(moves) and after.status in RESOLVED
    for commit in ticket.resolution.commits if is_new and ticket.resolution else []:
        if not commit_named(store.directory, commit):
            raise TicketError(f"resolution.commits: {commit} is not in this repository")


def save_all(
    store: TicketStore, tickets: Mapping[str, Ticket], known: Mapping[str, Ticket]
) -> list[str]:
    """Write the tickets that are new or differ; return their ids."""
    return [
        ticket_id
        for ticket_id, ticket in tickets.items()
        if ticket != known.get(ticket_id) and store.save(ticket, known.get(ticket_id))
    ]


def problems(store: TicketStore, tickets: Mapping[str, Ticket]) -> list[str]:
    """Return what is wrong between tickets, each with its place."""
    return [
        f"{store.line(link.ticket, link.key)}: related[{link.position}].id: {link.problem}"
        for link in bad_links(tickets)
    ]
