"""The update of tickets from the findings of a run: open, refresh, reopen and close.

A ticket is closed only if its check looked at its file again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.contract import Contract
from esper_audit.findings.errors import TicketError
from esper_audit.findings.finding import Finding, Severity
from esper_audit.project.git import resolve_commit
from esper_audit.tickets.expiry import has_expired, reopen_expired
from esper_audit.tickets.links import bad_links, complete_links
from esper_audit.tickets.parts import TOOL, Change
from esper_audit.tickets.states import ACTIVE, RESOLVED, Status
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket
from esper_audit.tracking.current_tree import CurrentTree
from esper_audit.tracking.matcher import Match, match_findings
from esper_audit.tracking.observation import Observation, observation_of_ticket, observations
from esper_audit.workflow.hand_edits import note_hand_edit, update_severities
from esper_audit.workflow.ticket_from_finding import (
    refresh_ticket,
    ticket_from_finding,
    with_whole_statements,
)


class SyncResult(msgspec.Struct, frozen=True):
    """The tickets after a run, and the ids of those that it opened, reopened and closed as fixed.

    `without_ticket` are the findings for which it opened none.
    """

    tickets: dict[str, Ticket]
    opened: list[str]
    reopened: list[str]
    fixed: list[str]
    without_ticket: list[Finding] = []


def sync(
    known: Mapping[str, Ticket],
    audit: Audit,
    contracts: Mapping[str, Contract],
    today: str,
    severity: Severity | None = Severity.P4,
) -> SyncResult:
    """Match the findings of a run with the known tickets and update these.

    A ticket is opened for findings that are as severe as `severity`, for none without a severity.
    """
    current = CurrentTree(audit.root)
    whole = [with_whole_statements(f, current.source(f.location.path)) for f in audit.findings]
    reported = {finding.fingerprint: finding for finding in whole}
    authorised = {s.finding.fingerprint: s.finding for s in audit.suppressed}
    findings = [*reported.values(), *authorised.values()]
    new = {observation.key: observation for observation in observations(findings, current.source)}
    old = [observation_of_ticket(ticket) for ticket in known.values() if ticket.fingerprint]
    looked_at = {o.key for o in old if audit.is_checked(o.check, o.path)}
    matches = match_findings(old, new.values(), current, may_move=looked_at)
    by_finding = {match.new.key: match for match in matches}
    tickets = _TicketSync(known, contracts, today)
    left: list[Finding] = []
    for fingerprint, finding in reported.items():
        if fingerprint in by_finding:
            tickets.refresh(by_finding[fingerprint], finding)
        elif severity is not None and finding.severity <= severity:
            tickets.open(finding, new[fingerprint])
        else:
            left.append(finding)
    for match in matches:
        if match.new.key not in reported and not match.old.is_resolved:
            tickets.refresh(match, authorised[match.new.key])
    found = {match.old.key for match in matches}
    for observation in old:
        is_gone = observation.key in looked_at - found
        if is_gone and not _may_be_elsewhere(observation, audit, current):
            tickets.close(observation.key)
    return msgspec.structs.replace(tickets.result(), without_ticket=left)


class _TicketSync:
    """The tickets of one run during their update, with the ids of those that changed status."""

    def __init__(
        self, known: Mapping[str, Ticket], contracts: Mapping[str, Contract], today: str
    ) -> None:
        self.tickets = dict(known)
        self.opened: list[str] = []
        self.reopened: list[str] = []
        self.fixed: list[str] = []
        self._contracts = contracts
        self._today = today

    def result(self) -> SyncResult:
        """Return the tickets by id, and what was done to them."""
        tickets = dict(sorted(self.tickets.items()))
        return SyncResult(tickets, self.opened, self.reopened, self.fixed)

    def open(self, finding: Finding, observation: Observation) -> None:
        """Open a ticket for a finding."""
        why = self._contracts[finding.contract].why
        ticket = ticket_from_finding(finding, why=why, date=self._today)
        ticket_id = next(i for i in _ids(ticket) if i not in self.tickets)
        self.tickets[ticket_id] = msgspec.structs.replace(
            ticket, id=ticket_id, likeness=observation.context_hash
        )
        self.opened.append(ticket_id)

    def refresh(self, match: Match, finding: Finding) -> None:
        """Update the ticket of a finding.

        A ticket that is fixed is reopened.
        """
        ticket = self.tickets[match.old.key]
        if match.old.is_resolved:
            why = "the finding is reported again"
            ticket = ticket.with_status(Status.OPEN, date=self._today, by=TOOL, why=why)
            self.reopened.append(ticket.id)
        history = ticket.history
        if match.old.scope != match.new.scope:
            history = [*history, self._move_entry(ticket, match)]
        self.tickets[ticket.id] = msgspec.structs.replace(
            refresh_ticket(ticket, finding),
            fingerprint=match.new.fingerprint,
            likeness=match.new.context_hash or ticket.likeness,
            history=history,
        )

    def close(self, ticket_id: str) -> None:
        """Close an active ticket as fixed."""
        ticket = self.tickets[ticket_id]
        if ticket.status in ACTIVE:
            why = "the check ran and does not report it any more"
            self.tickets[ticket_id] = ticket.with_status(
                Status.FIXED, date=self._today, by=TOOL, why=why
            )
            self.fixed.append(ticket_id)

    def _move_entry(self, ticket: Ticket, match: Match) -> Change:
        before, after = (" ".join(filter(None, side.scope)) for side in (match.old, match.new))
        why = f"the same finding moved from {before} to {after} ({match.why})"
        return Change(date=self._today, by=TOOL, before=ticket.status, after=ticket.status, why=why)


def _ids(ticket: Ticket) -> Iterator[str]:
    """Yield the possible ids of a new ticket, the shortest first.

    A shorter one may be taken by an older ticket whose finding has another fingerprint by now.
    """
    yield ticket.id
    long_id = f"EA-{ticket.fingerprint}"
    yield long_id
    yield from (f"{long_id}-{number}" for number in count(2))


def _may_be_elsewhere(observation: Observation, audit: Audit, current: CurrentTree) -> bool:
    """Return whether a finding whose place is gone may be in a file that was not analysed."""
    is_unread = any(problem.check in ("", observation.check) for problem in audit.not_analysed)
    return is_unread and not current.scopes(observation.path, observation.symbol)


class TicketUpdate(msgspec.Struct, frozen=True):
    """The tickets after a run, the ids of those that were written, and the broken links between them."""

    sync: SyncResult
    written: list[str]
    link_problems: list[str]


def update_tickets(
    store: TicketStore,
    audit: Audit,
    contracts: Mapping[str, Contract],
    today: str,
    severity: Severity | None = Severity.P4,
) -> TicketUpdate:
    """Update the tickets of a store from an audit.

    The caller holds the lock of the store.
    """
    known = store.load()
    update = planned_update(store, audit, contracts, today, severity)
    written = save_changed(store, update.sync.tickets, known)
    return msgspec.structs.replace(update, written=written)


def planned_update(
    store: TicketStore,
    audit: Audit,
    contracts: Mapping[str, Contract],
    today: str,
    severity: Severity | None = Severity.P4,
) -> TicketUpdate:
    """Return the update of the tickets of a store from an audit, and write none of them."""
    known = store.load()
    noted = note_hand_edits(store, known, today)
    result = sync(reopen_expired(noted, today), audit, contracts, today, severity)
    expired = [key for key, ticket in noted.items() if has_expired(ticket, today)]
    reopened = [key for key in expired if result.tickets[key].status in ACTIVE]
    result = msgspec.structs.replace(result, reopened=[*result.reopened, *reopened])
    tickets = complete_links(update_severities(result.tickets, audit.findings, today))
    changed = [ticket_id for ticket_id in tickets if tickets[ticket_id] != known.get(ticket_id)]
    return TicketUpdate(
        msgspec.structs.replace(result, tickets=tickets), changed, link_problems(store, tickets)
    )


def note_hand_edits(
    store: TicketStore, known: Mapping[str, Ticket], today: str
) -> dict[str, Ticket]:
    """Return the tickets with the changes that were made by hand added to their histories.

    Raises TicketError, with one line for each change that is not allowed.
    """
    tickets: dict[str, Ticket] = {}
    refused: list[str] = []
    for ticket_id, ticket in known.items():
        try:
            tickets[ticket_id] = note_hand_edit(ticket, today)
            _require_commits(store, ticket, tickets[ticket_id])
        except TicketError as error:
            refused.append(f"{store.line(ticket_id, ('status',))}: {error}")
    if refused:
        raise TicketError("\n".join(refused))
    return tickets


def _require_commits(store: TicketStore, ticket: Ticket, after: Ticket) -> None:
    """Raise TicketError for a resolution by hand that names an unknown commit."""
    moves = [change for change in after.history[len(ticket.history) :] if change.before]
    is_new = bool(moves) and after.status in RESOLVED
    for commit in ticket.resolution.commits if is_new and ticket.resolution else []:
        if not resolve_commit(store.directory, commit):
            raise TicketError(f"resolution.commits: unknown commit {commit} in this repository")


def save_changed(
    store: TicketStore, tickets: Mapping[str, Ticket], known: Mapping[str, Ticket]
) -> list[str]:
    """Write the tickets that are new or changed.

    Return their ids.
    """
    return [
        ticket_id
        for ticket_id, ticket in tickets.items()
        if ticket != known.get(ticket_id) and store.save(ticket, known.get(ticket_id))
    ]


def link_problems(store: TicketStore, tickets: Mapping[str, Ticket]) -> list[str]:
    """Return the broken links between tickets, each with its file and line."""
    return [
        f"{store.line(link.ticket, link.key)}: related[{link.position}].id: {link.problem}"
        for link in bad_links(tickets)
    ]
