"""`esper-audit run`: the whole audit, from source files to reports."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click

from esper_audit.cli.local_date import today
from esper_audit.cli.options import no_cache_option, no_new_option, project_options
from esper_audit.cli.screen import progress_bar
from esper_audit.engine.pipeline import CheckRequest
from esper_audit.findings.audit import CLEAN, COULD_NOT_RUN, FINDINGS, NOT_ALL_ANALYSED, Audit
from esper_audit.findings.finding import Finding, Severity, first_of_lines
from esper_audit.findings.probe_record import Verdict
from esper_audit.project.config import Project
from esper_audit.reports.unverifiable_claims import unverifiable_lines
from esper_audit.text.markdown import count
from esper_audit.text.terminal import wrapped
from esper_audit.tickets.assessment import FAILING, MEANING, Assessment, VerifiedTicket
from esper_audit.tickets.states import ACTIVE
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.project_rules.local_rules import require_passing_cases
from esper_audit.workflow.run import AuditRun, ProgressCallbacks, preview, run
from esper_audit.workflow.unchecked_tickets import unchecked_tickets

# An active ticket that could be closed is good news.
FAILING_RUN = FAILING - {Assessment.PROPOSED_FOR_CLOSING}
MOST_LINES = 12
WITHOUT_LINE = frozenset({Assessment.AS_EXPECTED, Assessment.CANNOT_TELL})


@click.command("run", short_help="Audit the project and update tickets and reports.")
@click.option("--dry-run", is_flag=True, help="Show what would change; write and verify nothing.")
@click.option(
    "--severity",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.P4.value,
    help="Open tickets only for findings as severe as this.",
)
@no_new_option
@no_cache_option
@project_options
def command(
    project: Project, *, no_new: bool, no_cache: bool, dry_run: bool, severity: str
) -> None:
    """Check the source, probe the subjects, update the tickets, verify their claims, write the reports.

    The tickets of findings less severe than --severity stay as they are. With --no-new the tickets only
    become fewer: what is gone is closed, and a finding without a ticket is listed.

    Exit status: 0 nothing new; 1 a finding without an active ticket, a link to a ticket that does
    not exist, or a claim that contradicts its ticket; 2 could not run; 3 something was not looked
    at. A claim that needs a package that is not installed is listed and does not change the status.
    """
    require_passing_cases(project, cache=not no_cache)
    request = CheckRequest(cache=not no_cache, today=today())
    with progress_bar("files", "units") as (files, units):
        progress = ProgressCallbacks(files, units)
        least = None if no_new else Severity(severity)
        if dry_run:
            result = preview(project, request, progress, severity=least)
        else:
            result = run(project, request, progress, severity=least)
    click.echo("\n".join(summary_lines(result, would="would " if dry_run else "", no_new=no_new)))
    if result.unwritten:
        click.echo(f"esper-audit: {result.unwritten}", err=True)
    sys.exit(exit_status(result, no_new=no_new))


def summary_lines(result: AuditRun, *, would: str = "", no_new: bool = False) -> list[str]:
    """Return what a run found and changed, in lines, or what it `would` change.

    With `no_new` the findings without a ticket are listed.
    """
    wrote = "would write" if would else "wrote"
    return [
        wrapped(_audit_line(result.audit), "", "  ").rstrip("\n"),
        *_shortened(_not_looked_at(result.audit)),
        _tickets_line(result),
        *_shortened(_unchecked(result)),
        *_shortened(_new_tickets(result, f"{would}open" if would else "opened")),
        *(_shortened(_without_ticket(result.sync.without_ticket)) if no_new else ()),
        *_ending(result.ending),
        *_claim_lines(result.verified),
        *(f"  {wrote} {path}" for path in result.changed),
        *result.link_problems,
    ]


def _not_looked_at(audit: Audit) -> list[str]:
    return [_item(f"not looked at: {problem.sentence()}") for problem in audit.not_analysed]


def _unchecked(result: AuditRun) -> list[str]:
    sentences = unchecked_tickets(result.audit, result.sync.tickets.values())
    return [_item(f"not checked: {one}") for one in sentences]


def _new_tickets(result: AuditRun, verb: str) -> list[str]:
    """Return a line for each ticket that was opened, the most severe first."""
    opened = sorted((result.sync.tickets[key] for key in result.sync.opened), key=_rank)
    return [
        _item(f"{verb} {ticket.id} {ticket.severity} {_place(ticket)}{ticket.title}")
        for ticket in opened
    ]


def _without_ticket(findings: Sequence[Finding]) -> list[str]:
    """Return a line for each finding that has no ticket, the most severe first."""
    ranked = sorted(findings, key=lambda finding: (finding.severity, finding.order))
    return [_item(f"without a ticket: {_head(one)}: {one.message}") for one in ranked]


def _head(finding: Finding) -> str:
    place = finding.location
    return f"{finding.severity} {place.path}:{place.line}:{place.column} {finding.check}"


def _ending(tickets: Sequence[Ticket]) -> Iterator[str]:
    """Yield a line for each accepted ticket that is open again soon."""
    for ticket in tickets:
        until = ticket.resolution.until if ticket.resolution else ""
        yield _item(f"ends soon: {ticket.id} is {ticket.status} until {until}: {ticket.title}")


def _place(ticket: Ticket) -> str:
    """Return the file and first line of a ticket, empty where it has none."""
    first = ticket.locations[0] if ticket.locations else None
    if first is None:
        return ""
    line = first_of_lines(first.lines)
    return f"{first.path}:{line}: " if line else f"{first.path}: "


def _rank(ticket: Ticket) -> tuple[str, str]:
    return (ticket.severity, ticket.id)


def _shortened(lines: list[str]) -> list[str]:
    """Return lines, the last replaced by a count where there are many."""
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES - 1], f"  and {len(lines) - MOST_LINES + 1:,} more"]


def exit_status(result: AuditRun, *, no_new: bool = False) -> int:
    """Return the exit status of a run, where a finding without a ticket counts with `no_new`."""
    if result.unwritten:
        return COULD_NOT_RUN
    unanswered = (answered for one in result.verified for answered in one.undecided)
    if result.audit.not_analysed or any(not answered.reply.lacking for answered in unanswered):
        return NOT_ALL_ANALYSED
    is_contradicted = any(one.assessment in FAILING_RUN for one in result.verified)
    is_left = no_new and bool(result.sync.without_ticket)
    is_new = result.sync.opened or result.sync.reopened or result.link_problems or is_left
    return FINDINGS if is_new or is_contradicted else CLEAN


def _audit_line(audit: Audit) -> str:
    units = sum(record.verdict is not Verdict.NOT_APPLICABLE for record in audit.records)
    probed = f", {count(units, 'unit')} probed" if audit.records else ""
    return (
        f"{count(audit.files, 'file')}, {count(len(audit.checks), 'check')}{probed}: "
        f"{count(len(audit.findings), 'finding')}, {len(audit.ticketed)} accepted, "
        f"{len(audit.suppressed)} authorised, "
        f"{len(audit.not_analysed)} not looked at"
    )


def _tickets_line(result: AuditRun) -> str:
    active = sum(ticket.status in ACTIVE for ticket in result.sync.tickets.values())
    return (
        f"{count(len(result.sync.tickets), 'ticket')}, {active} active: "
        f"{len(result.sync.opened)} opened, {len(result.sync.reopened)} reopened, "
        f"{len(result.sync.fixed)} fixed"
    )


def _claim_lines(verified: Sequence[VerifiedTicket]) -> Iterator[str]:
    """Yield the number of claims, the tickets that they contradict, and why claims were not verified."""
    claims = [answered for one in verified for answered in one.claims]
    if claims:
        expected = sum(answered.is_expected for answered in claims)
        yield f"{count(len(claims), 'claim')}: {expected} as expected"
    surprises = [
        f"{one.ticket.id} {one.assessment}: {MEANING[one.assessment]}"
        for one in verified
        if one.assessment not in WITHOUT_LINE
    ]
    yield from map(_item, [*surprises, *unverifiable_lines(verified)])


def _item(text: str) -> str:
    """Return a text as an indented item of the summary, wrapped."""
    return wrapped(text, "  ", "  ").rstrip("\n")
