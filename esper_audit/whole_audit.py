"""The order of a whole audit: check, probe, tickets, reports; `check` alone needs none of it, so it is apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from esper_audit.audit import Audit, Ticketed
from esper_audit.config import Project
from esper_audit.handbook import Handbook
from esper_audit.inquiry import Inquiry
from esper_audit.pipeline import Progress, Request, check
from esper_audit.probe_audit import joined
from esper_audit.probing import Wanted
from esper_audit.report import Reports
from esper_audit.ticket import Ticket
from esper_audit.ticket_states import ACCEPTED
from esper_audit.ticket_store import TicketStore
from esper_audit.ticketing import Sync, sync
from esper_audit.verification import Verified, verify
from esper_audit.writing import locked


class Run(msgspec.Struct, frozen=True):
    """What a whole audit did: its findings, its tickets, what claims answered, the files it changed."""

    audit: Audit
    sync: Sync
    verified: list[Verified]
    changed: list[str]


class Watched(msgspec.Struct, frozen=True):
    """Whom to tell how far it is: of the files checked, and of the units probed."""

    files: Progress | None = None
    units: Progress | None = None


UNWATCHED = Watched()


def run(project: Project, request: Request, watched: Watched = UNWATCHED) -> Run:
    """Audit a project: check, probe, bring the tickets up to date, ask their claims, write the reports."""
    checked = check(project, msgspec.structs.replace(request, baseline=False), watched.files)
    everything = joined(checked, project, Wanted(today=request.today), watched.units)
    handbook = Handbook(project)
    store = TicketStore(project.resolve(project.config.tickets))
    with locked(store.directory):
        known = store.load()
        done = sync(known, everything, handbook.contracts, request.today)
        fresh = _saved(store, known, done.tickets)
    # Outside the lock: tests that claims name may take their time, and may run an audit themselves.
    inquiry = Inquiry(project, today=request.today, audit=everything)
    verified = verify(done.tickets.values(), inquiry)
    with locked(store.directory):
        known = store.load()
        tickets = {**known, **_with_answers(verified, known)}
        fresh |= _saved(store, known, tickets)
        audit = _without_accepted(everything, tickets, verified)
        reports = Reports(project)
        pages = reports.write_audit(audit, tickets, handbook, verified)
        pages += reports.write_tickets(tickets.values())
    written = [f"{project.config.tickets}/{key}.yaml" for key in sorted(fresh)]
    pages = [f"{project.config.reports}/{page}" for page in pages]
    return Run(audit, done, verified, [*written, *pages])


def _saved(
    store: TicketStore, known: Mapping[str, Ticket], tickets: Mapping[str, Ticket]
) -> set[str]:
    """Write the tickets that differ from what the files hold; return their ids."""
    fresh = {key for key, ticket in tickets.items() if ticket != known.get(key)}
    for key in sorted(fresh):
        store.save(tickets[key], known.get(key))
    return fresh


def _with_answers(verified: Iterable[Verified], known: Mapping[str, Ticket]) -> dict[str, Ticket]:
    """Return the tickets with what their claims answered, unless somebody took them away meanwhile."""
    return {
        one.ticket.id: msgspec.structs.replace(known[one.ticket.id], answers=one.answers)
        for one in verified
        if one.ticket.id in known
    }


def _without_accepted(
    audit: Audit, tickets: Mapping[str, Ticket], verified: Iterable[Verified]
) -> Audit:
    """Set aside the findings whose ticket says that they are none, or are accepted, or stand elsewhere.

    A ticket whose claims say otherwise keeps nothing quiet.
    """
    unsupported = {one.ticket.id for one in verified if one.is_without_support}
    accepted = {
        ticket.fingerprint: ticket
        for ticket in tickets.values()
        if ticket.status in ACCEPTED and ticket.id not in unsupported
    }
    return msgspec.structs.replace(
        audit,
        findings=[f for f in audit.findings if f.fingerprint not in accepted],
        ticketed=[
            Ticketed(finding, ticket.id, ticket.status)
            for finding in audit.findings
            if (ticket := accepted.get(finding.fingerprint)) is not None
        ],
    )
