"""A whole audit: check, probe, tickets, claims and reports, in this order."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping

import msgspec

from esper_audit.engine.pipeline import CheckRequest, check
from esper_audit.findings.audit import Audit, Ticketed
from esper_audit.findings.errors import WriteError
from esper_audit.findings.finding import Severity
from esper_audit.probes.findings import add_probe_findings
from esper_audit.probes.session import ProbeRequest
from esper_audit.project.config import Project
from esper_audit.reports.pages import project_reports
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.progress import Progress
from esper_audit.tickets.assessment import VerifiedTicket
from esper_audit.tickets.expiry import expiring_soon
from esper_audit.tickets.states import ACCEPTED
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.claim_context import ProjectClaimContext
from esper_audit.workflow.reported_findings import reported_findings
from esper_audit.workflow.sync import SyncResult, planned_update, save_changed, update_tickets
from esper_audit.workflow.verify import verify, with_answers


class AuditRun(msgspec.Struct, frozen=True):
    """The result of a whole audit.

    `verified` are the tickets with the answers of their claims, `changed` the paths of the files that
    were written, relative to the root, `link_problems` the broken links between tickets, `ending` the
    accepted tickets that end soon, and `unwritten` the reason why reports could not be written.
    """

    audit: Audit
    sync: SyncResult
    verified: list[VerifiedTicket]
    changed: list[str]
    link_problems: list[str]
    ending: list[Ticket]
    unwritten: str = ""


class ProgressCallbacks(msgspec.Struct, frozen=True):
    """The callbacks for the progress of the check (files) and of the probes (units)."""

    files: Progress | None = None
    units: Progress | None = None


NO_PROGRESS = ProgressCallbacks()


def run(
    project: Project,
    request: CheckRequest,
    progress: ProgressCallbacks = NO_PROGRESS,
    *,
    reports: bool = True,
    severity: Severity | None = Severity.P4,
) -> AuditRun:
    """Check and probe a project, update its tickets, verify their claims and write the reports.

    Without `reports`, claims are not verified either. A ticket is opened for findings that are as
    severe as `severity`, for none without a severity.
    """
    unfiltered = _audit(project, request, progress)
    catalogue = CheckCatalogue.of_project(project)
    store = TicketStore(project.resolve(project.config.tickets))
    with store.exclusive():
        update = update_tickets(store, unfiltered, catalogue.contracts, request.today, severity)
    # Outside the lock: tests that claims name may be slow, and may run an audit themselves.
    tickets_now = update.sync.tickets.values()
    reported = reported_findings(tickets_now)
    context = ProjectClaimContext(project, today=request.today, audit=unfiltered, reported=reported)
    verified = verify(tickets_now, context) if reports else []
    with store.exclusive():
        known = store.load(update.sync.tickets) if reports else update.sync.tickets
        tickets = with_answers(verified, known)
        written = {*update.written, *save_changed(store, tickets, known)}
        audit = _without_accepted(unfiltered, tickets, verified)
        changed = [f"{project.config.tickets}/{key}.yaml" for key in sorted(written)]
        unwritten = ""
        if reports:
            try:
                pages = project_reports(project).write(audit, tickets, catalogue, verified)
            except WriteError as error:
                unwritten = str(error)
            else:
                changed += [f"{project.config.reports}/{page}" for page in pages]
    ending = _ending(project, tickets, request.today)
    return AuditRun(audit, update.sync, verified, changed, update.link_problems, ending, unwritten)


def preview(
    project: Project,
    request: CheckRequest,
    progress: ProgressCallbacks = NO_PROGRESS,
    *,
    severity: Severity | None = Severity.P4,
) -> AuditRun:
    """Return what `run` would find and change, without claims and reports, and write no file."""
    audit = _audit(project, request, progress)
    contracts = CheckCatalogue.of_project(project).contracts
    store = TicketStore(project.resolve(project.config.tickets))
    update = planned_update(store, audit, contracts, request.today, severity)
    changed = [f"{project.config.tickets}/{key}.yaml" for key in sorted(update.written)]
    tickets = update.sync.tickets
    ending = _ending(project, tickets, request.today)
    audit = _without_accepted(audit, tickets, ())
    return AuditRun(audit, update.sync, [], changed, update.link_problems, ending)


def _audit(project: Project, request: CheckRequest, progress: ProgressCallbacks) -> Audit:
    """Return the audit of a whole project by rules and probes."""
    request = msgspec.structs.replace(request, baseline=False, whole=True, impact=True)
    checked = check(project, request, progress.files)
    if not gc.isenabled():  # as in the command: the index leaves cycles behind
        gc.collect()
    return add_probe_findings(checked, project, ProbeRequest(today=request.today), progress.units)


def _ending(project: Project, tickets: Mapping[str, Ticket], today: str) -> list[Ticket]:
    """Return the accepted tickets that end within the days of the configuration."""
    return expiring_soon(tickets.values(), project.config.suppressions.warn_days, today)


def _without_accepted(
    audit: Audit, tickets: Mapping[str, Ticket], verified: Iterable[VerifiedTicket]
) -> Audit:
    """Return the audit with the findings moved aside whose ticket is accepted.

    Accepted are not-a-bug, wont-fix and duplicate. A ticket that its own claims contradict is not
    accepted any more.
    """
    contradicted = {one.ticket.id for one in verified if one.is_unsupported}
    accepted = {
        ticket.fingerprint: ticket
        for ticket in tickets.values()
        if ticket.status in ACCEPTED and ticket.id not in contradicted
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
