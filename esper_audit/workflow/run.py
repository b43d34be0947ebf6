"""The order of a whole audit: check, probe, tickets, reports; `check` alone needs none of it, so it is apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from esper_audit.engine.pipeline import CheckRequest, Progress, check
from esper_audit.findings.audit import Audit, Ticketed
from esper_audit.probes.findings import joined
from esper_audit.probes.session import ProbeRequest
from esper_audit.project.config import Project
from esper_audit.reports.pages import Reports
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.tickets.assessment import VerifiedTicket
from esper_audit.tickets.states import ACCEPTED
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.claim_context import ProjectClaimContext
from esper_audit.workflow.sync import SyncResult, save_all, update_tickets
from esper_audit.workflow.verify import verify, with_answers


class AuditRun(msgspec.Struct, frozen=True):
    """What a whole audit did: its findings, its tickets, what claims answered, the files it changed,
    and what is wrong between the tickets.
    """

    audit: Audit
    sync: SyncResult
    verified: list[VerifiedTicket]
    changed: list[str]
    problems: list[str]


class ProgressCallbacks(msgspec.Struct, frozen=True):
    """Whom to tell how far it is: of the files checked, and of the units probed."""

    files: Progress | None = None
    units: Progress | None = None


UNWATCHED = ProgressCallbacks()


def run(
    project: Project,
    request: CheckRequest,
    watched: ProgressCallbacks = UNWATCHED,
    *,
    reports: bool = True,
) -> AuditRun:
    """Audit a project: check, probe, bring the tickets up to date, ask their claims, write the reports.

    Without `reports`, claims are not asked either.
    """
    request = msgspec.structs.replace(request, baseline=False, whole=True, impact=True)
    checked = check(project, request, watched.files)
    everything = joined(checked, project, ProbeRequest(today=request.today), watched.units)
    handbook = CheckCatalogue(project)
    store = TicketStore(project.resolve(project.config.tickets))
    with store.exclusive():
        books = update_tickets(store, everything, handbook.contracts, request.today)
    # Outside the lock: tests that claims name may take their time, and may run an audit themselves.
    inquiry = ProjectClaimContext(project, today=request.today, audit=everything)
    verified = verify(books.sync.tickets.values(), inquiry) if reports else []
    with store.exclusive():
        known = store.load()
        tickets = with_answers(verified, known)
        written = {*books.written, *save_all(store, tickets, known)}
        audit = _without_accepted(everything, tickets, verified)
        changed = [f"{project.config.tickets}/{key}.yaml" for key in sorted(written)]
        if reports:
            pages = Reports(project).write(audit, tickets, handbook, verified)
            changed += [f"{project.config.reports}/{page}" for page in pages]
    return AuditRun(audit, books.sync, verified, changed, books.problems)


def _without_accepted(
    audit: Audit, tickets: Mapping[str, Ticket], verified: Iterable[VerifiedTicket]
) -> Audit:
    """Set aside the findings whose ticket says that they are none, or are accepted, or stand elsewhere.

    A ticket whose claims say otherwise keeps nothing quiet.
    """
    unsupported = {one.ticket.id for one in verified if one.is_unsupported}
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
