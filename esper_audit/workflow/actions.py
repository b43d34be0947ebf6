"""What one person does to tickets: each act is checked and written while nobody else writes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from esper_audit.findings.errors import TicketError, UsageError
from esper_audit.project.config import Project
from esper_audit.project.git import resolve_commit, user_name
from esper_audit.text.phrases import did_you_mean
from esper_audit.tickets.links import in_step
from esper_audit.tickets.parts import Related, Relation, Resolution, Review
from esper_audit.tickets.states import ResolutionKind
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.sync import all_noted, save_all

SOMEBODY = "somebody"  # where neither a sign-off nor git says who it was


class ActionResult(msgspec.Struct, frozen=True):
    """A ticket after an act, and the ids of all that were written with it."""

    ticket: Ticket
    written: list[str]


class TicketActions:
    """The tickets of a project, for one person on one day."""

    def __init__(self, project: Project, today: str) -> None:
        self.store = TicketStore(project.resolve(project.config.tickets))
        self._root = project.root
        self._today = today

    def review(self, name: str, review: Review) -> ActionResult:
        """Add somebody's review to a ticket."""
        with self.store.exclusive():
            known = self.store.load()
            ticket = named(known, name)
            reviewed = msgspec.structs.replace(ticket, reviews=[*ticket.reviews, review])
            return self._written(known, reviewed)

    def resolve(self, name: str, end: Resolution, *, of: str = "") -> ActionResult:
        """Resolve a ticket; `of` is the one it is a duplicate of.

        Raises TicketError where the resolution shows nothing, names a commit that is not there, or is
        no move that the table of states allows.
        """
        if of and end.kind is not ResolutionKind.DUPLICATE:
            raise UsageError(f"{end.kind} is of no other ticket; leave out --of")
        self._require_commits(end)
        with self.store.exclusive():
            known = self.store.load()
            ticket = named(known, name)
            by_hand = all_noted(self.store, {ticket.id: ticket}, self._today)
            ticket = by_hand[ticket.id]
            if of:
                ticket = _duplicate(ticket, named(known, of).id)
            by = end.sign_off or user_name(self._root) or SOMEBODY
            return self._written(
                known, ticket.resolved(end, date=self._today, by=by, why=_first_line(end))
            )

    def _require_commits(self, end: Resolution) -> None:
        for commit in end.commits:
            if not resolve_commit(self._root, commit):
                raise TicketError(f"commit {commit} is not in this repository")

    def _written(self, known: Mapping[str, Ticket], ticket: Ticket) -> ActionResult:
        tickets = in_step({**known, ticket.id: ticket})
        return ActionResult(ticket, save_all(self.store, tickets, known))


def named(known: Mapping[str, Ticket], name: str) -> Ticket:
    """Return the ticket of an id, or of the beginning of exactly one; raises UsageError."""
    if name in known:
        return known[name]
    begins = [ticket_id for ticket_id in known if ticket_id.lower().startswith(name.lower())]
    if len(begins) == 1:
        return known[begins[0]]
    if begins:
        raise UsageError(f"'{name}' is the beginning of {len(begins)} tickets: {_some(begins)}")
    near = did_you_mean(name, known)
    few = near if "did you mean" in near else f"; there are {len(known)}: {_some(list(known))}"
    raise UsageError(f"no ticket is called '{name}'{few if known else ''}")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _duplicate(ticket: Ticket, of: str) -> Ticket:
    if of == ticket.id:
        raise UsageError(f"{of} cannot be a duplicate of itself")
    link = Related(id=of, relation=Relation.DUPLICATE)
    is_known = any(other.id == of and other.relation is link.relation for other in ticket.related)
    return ticket if is_known else msgspec.structs.replace(ticket, related=[*ticket.related, link])


def _first_line(end: Resolution) -> str:
    """Return what the history says of a resolution: the first line of its evidence, or its commits."""
    line = end.evidence.strip().partition("\n")[0]
    return line or f"{end.kind} by {', '.join(end.commits)}"
