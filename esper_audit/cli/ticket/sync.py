"""`esper-audit ticket sync`: update the tickets without writing reports."""

from __future__ import annotations

import sys

import click

from esper_audit.cli.local_date import today
from esper_audit.cli.options import no_cache_option, no_new_option, project_options
from esper_audit.cli.run import exit_status, summary_lines
from esper_audit.cli.screen import progress_bar
from esper_audit.engine.pipeline import CheckRequest
from esper_audit.findings.finding import Severity
from esper_audit.project.config import Project
from esper_audit.workflow.run import ProgressCallbacks, run


@click.command("sync", short_help="Run the checks and update the tickets.")
@no_new_option
@no_cache_option
@project_options
def command(project: Project, *, no_new: bool, no_cache: bool) -> None:
    """Run the checks and probes and update the tickets, without reports.

    A new finding gets a ticket, the ticket of a finding that is gone becomes `fixed`, a link between
    two tickets is added to the other ticket, and a change by hand is added to the history. With --no-new
    the tickets only become fewer, and a finding without a ticket is listed.

    Exit status: 0 nothing new; 1 a finding without an active ticket, or a link to a ticket that does
    not exist; 2 could not run; 3 something was not looked at.
    """
    request = CheckRequest(cache=not no_cache, today=today())
    with progress_bar("files", "units") as (files, units):
        progress, least = ProgressCallbacks(files, units), None if no_new else Severity.P4
        result = run(project, request, progress, reports=False, severity=least)
    click.echo("\n".join(summary_lines(result, no_new=no_new)))
    sys.exit(exit_status(result, no_new=no_new))
