"""`esper-audit run`: the whole audit, from source to findings to tickets to reports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date

import click

from esper_audit.cli.screen import progress_bar
from esper_audit.engine.pipeline import CheckRequest
from esper_audit.findings.audit import CLEAN, FINDINGS, NOT_ALL_ANALYSED, Audit
from esper_audit.findings.probe_record import Verdict
from esper_audit.project.config import find_project
from esper_audit.text.markdown import count
from esper_audit.tickets.assessment import FAILING, MEANING, Assessment
from esper_audit.tickets.states import ACTIVE
from esper_audit.workflow.run import AuditRun, ProgressCallbacks, run

# An active ticket that could be closed is good news.
FAILING_RUN = FAILING - {Assessment.PROPOSED_FOR_CLOSING}


@click.command("run")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
@click.option("--no-cache", is_flag=True, help="Look at every file afresh.")
def command(config_file: str | None, *, no_cache: bool) -> None:
    """Audit the project: check its source, probe its subjects, write tickets and reports, say what is new.

    Exit status: 0 nothing new; 1 findings that had no ticket, or only a resolved one, links to
    tickets that are not there, or a ticket whose claims say otherwise than it does; 2 could not run;
    3 something was not looked at. A claim that needs what is not installed is listed and changes no
    status.
    """
    today = date.today().isoformat()  # noqa: DTZ011  # the day of whoever reads the ticket
    project = find_project([], config_file)
    request = CheckRequest(cache=not no_cache, today=today)
    with progress_bar("files", "units") as (files, units):
        done = run(project, request, ProgressCallbacks(files, units))
    click.echo("\n".join(lines(done)))
    sys.exit(status(done))


def lines(done: AuditRun) -> list[str]:
    """Return what a run did, in lines."""
    written = [f"  wrote {change}" for change in done.changed]
    return [_summary(done.audit), _tickets(done), *_claims(done), *written, *done.problems]


def status(done: AuditRun) -> int:
    """Return the exit status of a run."""
    untold = any(not asked.reply.lacking for one in done.verified for asked in one.undecided)
    if done.audit.not_analysed or untold:
        return NOT_ALL_ANALYSED
    contradicted = any(one.assessment in FAILING_RUN for one in done.verified)
    is_new = done.sync.opened or done.sync.reopened or done.problems or contradicted
    return FINDINGS if is_new else CLEAN


def _summary(audit: Audit) -> str:
    """Return what was looked at and found, in a line."""
    units = sum(record.verdict is not Verdict.NOT_APPLICABLE for record in audit.records)
    probed = f", {count(units, 'unit')} probed" if audit.records else ""
    return (
        f"{count(audit.files, 'file')}, {count(len(audit.checks), 'check')}{probed}: "
        f"{count(len(audit.findings), 'finding')}, {len(audit.ticketed)} accepted, "
        f"{len(audit.suppressed)} authorised, "
        f"{len(audit.not_analysed)} not looked at"
    )


def _tickets(done: AuditRun) -> str:
    """Return what became of the tickets, in a line."""
    active = sum(ticket.status in ACTIVE for ticket in done.sync.tickets.values())
    return (
        f"{count(len(done.sync.tickets), 'ticket')}, {active} active: {len(done.sync.opened)} opened, "
        f"{len(done.sync.reopened)} opened again, {len(done.sync.fixed)} found fixed"
    )


def _claims(done: AuditRun) -> Iterator[str]:
    """Say how many claims were asked, and of which tickets they say something new."""
    claims = sum(len(one.claims) for one in done.verified)
    told = sum(asked.is_expected for one in done.verified for asked in one.claims)
    if claims:
        yield f"{count(claims, 'claim')}: {told} as expected"
    for one in done.verified:
        if one.assessment is not Assessment.AS_EXPECTED:
            yield f"  {one.ticket.id} {one.assessment}: {MEANING[one.assessment]}"
