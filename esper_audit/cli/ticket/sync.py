"""`esper-audit ticket sync`: the tickets brought up to date, without reports."""

from __future__ import annotations

import sys
from datetime import date

import click

from esper_audit.cli import run as whole_run
from esper_audit.cli.screen import progress_bar
from esper_audit.engine.pipeline import CheckRequest
from esper_audit.project.config import find_project
from esper_audit.workflow.run import ProgressCallbacks, run


@click.command("sync")
@click.option("--no-cache", is_flag=True, help="Look at every file afresh.")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(config_file: str | None, *, no_cache: bool) -> None:
    """Run the checks and bring the tickets up to date; `esper-audit run` writes the reports too.

    Findings get tickets, tickets whose finding is gone are closed, links between tickets are said
    back, and what people changed by hand gets its line of history.

    Exit status: 0 nothing new; 1 findings that had no ticket, or only a resolved one, or links to
    tickets that are not there; 2 could not run; 3 something was not looked at.
    """
    today = date.today().isoformat()  # noqa: DTZ011  # the day of whoever reads the ticket
    project = find_project([], config_file)
    request = CheckRequest(cache=not no_cache, today=today)
    with progress_bar("files", "units") as (files, units):
        done = run(project, request, ProgressCallbacks(files, units), reports=False)
    click.echo("\n".join(whole_run.lines(done)))
    sys.exit(whole_run.status(done))
