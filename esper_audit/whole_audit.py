"""The order of a whole audit: check, tickets, reports; apart from `pipeline.py` because `check` needs none of it."""

from __future__ import annotations

import msgspec

from esper_audit.audit import Audit, Ticketed
from esper_audit.config import Project
from esper_audit.handbook import Handbook
from esper_audit.pipeline import Progress, Request, check
from esper_audit.report import Reports
from esper_audit.ticket_states import ACCEPTED
from esper_audit.ticket_store import TicketStore
from esper_audit.ticketing import Sync, sync
from esper_audit.writing import locked


class Run(msgspec.Struct, frozen=True):
    """What a whole audit did: its findings, its tickets, and the files it changed."""

    audit: Audit
    sync: Sync
    changed: list[str]


def run(project: Project, request: Request, progress: Progress | None = None) -> Run:
    """Audit a project: check, bring the tickets up to date, write the reports."""
    everything = check(project, msgspec.structs.replace(request, baseline=False), progress)
    handbook = Handbook(project)
    directory = project.resolve(project.config.tickets)
    with locked(directory):
        store = TicketStore(directory)
        known = store.load()
        done = sync(known, everything, handbook.contracts, request.today)
        fresh = {key: t for key, t in done.tickets.items() if t != known.get(key)}
        for key, ticket in fresh.items():
            store.save(ticket, known.get(key))
        audit = _without_accepted(everything, done)
        reports = Reports(project)
        pages = reports.write_audit(audit, done.tickets, handbook)
        pages += reports.write_tickets(done.tickets.values())
    written = [f"{project.config.tickets}/{key}.yaml" for key in sorted(fresh)]
    return Run(audit, done, [*written, *(f"{project.config.reports}/{page}" for page in pages)])


def _without_accepted(audit: Audit, done: Sync) -> Audit:
    """Set aside the findings whose ticket says that they are none, or are accepted, or stand elsewhere."""
    accepted = {t.fingerprint: t for t in done.tickets.values() if t.status in ACCEPTED}
    return msgspec.structs.replace(
        audit,
        findings=[f for f in audit.findings if f.fingerprint not in accepted],
        ticketed=[
            Ticketed(finding, ticket.id, ticket.status)
            for finding in audit.findings
            if (ticket := accepted.get(finding.fingerprint)) is not None
        ],
    )
