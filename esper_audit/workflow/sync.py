"""From findings to tickets and back: new ones are opened, gone ones closed, but only where a check really looked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.contract import Contract
from esper_audit.findings.errors import TicketError
from esper_audit.findings.finding import Finding
from esper_audit.project.git import resolve_commit
from esper_audit.tickets.links import bad_links, in_step
from esper_audit.tickets.parts import TOOL, Change
from esper_audit.tickets.states import ACTIVE, RESOLVED, Status
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket
from esper_audit.tracking.current_tree import CurrentTree
from esper_audit.tracking.matcher import Match, match_findings
from esper_audit.tracking.observation import Observation, observations
from esper_audit.workflow.from_finding import from_finding, refreshed
from esper_audit.workflow.hand_edits import noted, reproposed


class SyncResult(msgspec.Struct, frozen=True):
    """The tickets after a run, and the ids of those it opened, opened again and found fixed."""

    tickets: dict[str, Ticket]
    opened: list[str]
    reopened: list[str]
    fixed: list[str]


def sync(
    known: Mapping[str, Ticket], audit: Audit, contracts: Mapping[str, Contract], today: str
) -> SyncResult:
    """Match the findings of a run with the tickets there are."""
    present = CurrentTree(audit.root)
    standing = {finding.fingerprint: finding for finding in audit.findings}
    authorised = {s.finding.fingerprint: s.finding for s in audit.suppressed}
    seen = {
        s.key: s for s in observations([*standing.values(), *authorised.values()], present.source)
    }
    remembered = [remember(ticket) for ticket in known.values() if ticket.fingerprint]
    looked_at = {s.key for s in remembered if audit.is_checked(s.check, s.path)}
    matches = match_findings(remembered, seen.values(), present, may_move=looked_at)
    by_finding = {match.new.key: match for match in matches}
    desk = _TicketSync(known, contracts, today)
    for fingerprint, finding in standing.items():
        if fingerprint in by_finding:
            desk.refresh(by_finding[fingerprint], finding)
        else:
            desk.open(finding, seen[fingerprint])
    for match in matches:
        if match.new.key not in standing and not match.old.is_resolved:
            desk.refresh(match, authorised[match.new.key])
    found = {match.old.key for match in matches}
    for sighting in remembered:
        gone = sighting.key in looked_at - found
        if gone and not _may_be_elsewhere(sighting, audit, present):
            desk.close(sighting.key)
    return SyncResult(dict(sorted(desk.tickets.items())), desk.opened, desk.reopened, desk.fixed)


def remember(ticket: Ticket) -> Observation:
    """Return what a ticket remembers of its finding."""
    place = ticket.locations[0]
    return Observation(
        key=ticket.id,
        check=ticket.check,
        path=place.path,
        symbol=place.symbol,
        line=int(place.lines.partition(",")[0].partition("-")[0] or 0),
        fingerprint=ticket.fingerprint,
        context_hash=ticket.likeness,
        is_resolved=ticket.status is Status.FIXED,
    )


class _TicketSync:
    """The tickets of one run while they are brought up to date, and what was done to them."""

    def __init__(
        self, known: Mapping[str, Ticket], contracts: Mapping[str, Contract], today: str
    ) -> None:
        self.tickets = dict(known)
        self.opened: list[str] = []
        self.reopened: list[str] = []
        self.fixed: list[str] = []
        self._contracts = contracts
        self._today = today

    def open(self, finding: Finding, seen: Observation) -> None:
        """Give a finding a ticket of its own."""
        why = self._contracts[finding.contract].why
        ticket = from_finding(finding, why=why, date=self._today)
        ticket_id = next(i for i in _ids(ticket) if i not in self.tickets)
        self.tickets[ticket_id] = msgspec.structs.replace(
            ticket, id=ticket_id, likeness=seen.context_hash
        )
        self.opened.append(ticket_id)

    def refresh(self, match: Match, finding: Finding) -> None:
        """Bring the ticket of a finding up to date; one that was found fixed is opened again."""
        ticket = self.tickets[match.old.key]
        if match.old.is_resolved:
            why = "the finding is back"
            ticket = ticket.moved(Status.OPEN, date=self._today, by=TOOL, why=why)
            self.reopened.append(ticket.id)
        history = ticket.history
        if match.old.scope != match.new.scope:
            history = [*history, self._move(ticket, match)]
        self.tickets[ticket.id] = msgspec.structs.replace(
            refreshed(ticket, finding),
            fingerprint=match.new.fingerprint,
            likeness=match.new.context_hash or ticket.likeness,
            history=history,
        )

    def close(self, ticket_id: str) -> None:
        """Say of an active ticket that it is fixed."""
        ticket = self.tickets[ticket_id]
        if ticket.status in ACTIVE:
            why = "the check ran and found it no more"
            self.tickets[ticket_id] = ticket.moved(Status.FIXED, date=self._today, by=TOOL, why=why)
            self.fixed.append(ticket_id)

    def _move(self, ticket: Ticket, match: Match) -> Change:
        was, now = (" ".join(filter(None, side.scope)) for side in (match.old, match.new))
        why = f"the same finding moved from {was} to {now} ({match.why})"
        return Change(date=self._today, by=TOOL, before=ticket.status, after=ticket.status, why=why)


def _ids(ticket: Ticket) -> Iterator[str]:
    """Yield the ids that a new ticket may have, the shortest first: an old one may have moved on with it."""
    yield ticket.id
    whole = f"EA-{ticket.fingerprint}"
    yield whole
    yield from (f"{whole}-{number}" for number in count(2))


def _may_be_elsewhere(sighting: Observation, audit: Audit, present: CurrentTree) -> bool:
    """Return whether a finding whose place is gone may stand in something that was not analysed."""
    unread = any(problem.check in ("", sighting.check) for problem in audit.not_analysed)
    return unread and not present.scopes(sighting.path, sighting.symbol)


class TicketUpdate(msgspec.Struct, frozen=True):
    """The tickets after a run, the ids of those that were written, and what is wrong between them."""

    sync: SyncResult
    written: list[str]
    problems: list[str]


def update_tickets(
    store: TicketStore, audit: Audit, contracts: Mapping[str, Contract], today: str
) -> TicketUpdate:
    """Bring the tickets of a store up to date with an audit; to be called while nobody else writes."""
    known = store.load()
    done = sync(all_noted(store, known, today), audit, contracts, today)
    tickets = in_step(reproposed(done.tickets, audit.findings, today))
    written = save_all(store, tickets, known)
    return TicketUpdate(
        msgspec.structs.replace(done, tickets=tickets), written, problems(store, tickets)
    )


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
        if not resolve_commit(store.directory, commit):
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
