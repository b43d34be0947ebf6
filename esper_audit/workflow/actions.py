"""The actions of a user on a ticket: review and resolve, each under the lock of the ticket store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from esper_audit.findings.errors import TicketError, UsageError
from esper_audit.project.git import resolve_commit, user_name
from esper_audit.text.markdown import listed
from esper_audit.text.phrases import nearest_word
from esper_audit.tickets.links import complete_links
from esper_audit.tickets.parts import Opinion, Related, Relation, Resolution, Review
from esper_audit.tickets.states import ACTIVE, ResolutionKind
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.sync import note_hand_edits, save_changed

MOST_NAMED = 5
UNKNOWN_USER = "unknown user"  # without a sign-off and a user name in git


class ActionResult(msgspec.Struct, frozen=True):
    """A ticket after an action, and the ids of all tickets that were written with it."""

    ticket: Ticket
    written: list[str]


class AcceptedTickets(msgspec.Struct, frozen=True):
    """The ids of the tickets that were accepted together, and of those that a review keeps active."""

    accepted: list[str]
    kept: list[str]


class TicketActions:
    """The actions on the tickets of a store.

    `root` is the git repository, `today` a date YYYY-MM-DD.
    """

    def __init__(self, store: TicketStore, root: str, today: str) -> None:
        self.store = store
        self._root = root
        self._today = today

    def review(self, name: str, review: Review) -> ActionResult:
        """Add a review to the ticket of an id, or of the unique beginning of one."""
        with self.store.exclusive():
            known = self.store.load()
            ticket = find_ticket(known, name)
            reviewed = msgspec.structs.replace(ticket, reviews=[*ticket.reviews, review])
            return self._save(known, reviewed)

    def resolve(self, name: str, resolution: Resolution, *, of: str = "") -> ActionResult:
        """Resolve a ticket.

        `of` is the id of the original of a duplicate.

        Raises UsageError for `of` with another kind and for a last day that is over. Raises TicketError
        for a resolution without evidence, for an unknown commit, and for a change of status that is not
        allowed.
        """
        self._require_future(resolution)
        if of and resolution.kind is not ResolutionKind.DUPLICATE:
            raise UsageError(
                f"--of only applies to --kind duplicate (got --kind {resolution.kind})"
            )
        self._require_commits(resolution)
        with self.store.exclusive():
            known = self.store.load()
            ticket = find_ticket(known, name)
            ticket = note_hand_edits(self.store, {ticket.id: ticket}, self._today)[ticket.id]
            _require_no_objection(ticket)
            if of:
                ticket = _duplicate(ticket, find_ticket(known, of).id)
            return self._save(known, self._resolved(ticket, resolution))

    def accept(self, is_meant: Callable[[Ticket], bool], resolution: Resolution) -> AcceptedTickets:
        """Resolve all active tickets of a condition in one way, except those to which a review objects.

        Raises UsageError for a last day that is over, TicketError for a resolution without evidence.
        """
        self._require_future(resolution)
        with self.store.exclusive():
            known = self.store.load()
            noted = note_hand_edits(self.store, known, self._today)
            active = [t for t in noted.values() if t.status in ACTIVE and is_meant(t)]
            kept = [ticket.id for ticket in active if objectors(ticket)]
            accepted = {t.id: self._resolved(t, resolution) for t in active if t.id not in kept}
            save_changed(self.store, {**known, **accepted}, known)
            return AcceptedTickets(list(accepted), kept)

    def _resolved(self, ticket: Ticket, resolution: Resolution) -> Ticket:
        by = resolution.sign_off or user_name(self._root) or UNKNOWN_USER
        why = _first_line(resolution)
        return ticket.with_resolution(resolution, date=self._today, by=by, why=why)

    def _require_future(self, resolution: Resolution) -> None:
        if resolution.until and resolution.until < self._today:
            raise UsageError(
                f"--until: the day is over (got {resolution.until}, today is {self._today})"
            )

    def _require_commits(self, resolution: Resolution) -> None:
        for commit in resolution.commits:
            if not resolve_commit(self._root, commit):
                raise TicketError(f"unknown commit {commit} in this repository")

    def _save(self, known: Mapping[str, Ticket], ticket: Ticket) -> ActionResult:
        tickets = complete_links({**known, ticket.id: ticket})
        return ActionResult(ticket, save_changed(self.store, tickets, known))


def objectors(ticket: Ticket) -> list[str]:
    """Return the reviewers whose last review objects, in the order of their first one."""
    last = {review.reviewer: review.verdict for review in ticket.reviews}
    return [reviewer for reviewer, verdict in last.items() if verdict is Opinion.OBJECT]


def _require_no_objection(ticket: Ticket) -> None:
    if names := objectors(ticket):
        raise TicketError(
            f"{ticket.id}: cannot be resolved while a review objects (by {listed(names)}). "
            "Answer it, and add the next review of the same reviewer."
        )


def find_ticket(known: Mapping[str, Ticket], name: str) -> Ticket:
    """Return the ticket of an id, or of the unique beginning of one.

    Raises UsageError.
    """
    if name in known:
        return known[name]
    matching = [ticket_id for ticket_id in known if ticket_id.lower().startswith(name.lower())]
    if len(matching) == 1:
        return known[matching[0]]
    if matching:
        raise UsageError(
            f"'{name}' is ambiguous: {len(matching)} tickets begin with it ({_shortened(matching)})"
        )
    if not known:
        raise UsageError(f"unknown ticket '{name}' (there are no tickets)")
    hint = nearest_word(name, known) or f" (tickets: {_shortened(list(known))})"
    raise UsageError(f"unknown ticket '{name}'{hint}")


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")


def _duplicate(ticket: Ticket, of: str) -> Ticket:
    if of == ticket.id:
        raise UsageError(f"{of} cannot be a duplicate of itself")
    link = Related(id=of, relation=Relation.DUPLICATE)
    is_known = any(other.id == of and other.relation is link.relation for other in ticket.related)
    return ticket if is_known else msgspec.structs.replace(ticket, related=[*ticket.related, link])


def _first_line(resolution: Resolution) -> str:
    """Return the reason for the history: the first line of the evidence, or the commits."""
    line = resolution.evidence.strip().partition("\n")[0]
    return line or f"{resolution.kind} by {', '.join(resolution.commits)}"
