"""`esper-audit report`: render the ticket pages from the ticket files."""

from __future__ import annotations

import click

from esper_audit.cli.options import project_options
from esper_audit.project.config import Project
from esper_audit.reports.pages import project_reports
from esper_audit.text.markdown import count
from esper_audit.text.terminal import wrapped
from esper_audit.tickets.store import TicketStore

PAGES_OF_A_RUN = ("audit.md", "deep-dive.md", "index.html")


@click.command("report", short_help="Render the ticket pages again.")
@project_options
def command(project: Project) -> None:
    """Render the page of every ticket again from its YAML file, and their index.

    audit.md, deep-dive.md and index.html show findings, which no ticket file holds: `esper-audit run`
    writes them.
    """
    config = project.config
    tickets = TicketStore(project.resolve(config.tickets)).load()
    changed = project_reports(project).write_tickets(tickets.values())
    click.echo(f"{count(len(tickets), 'ticket')}, {count(len(changed), 'page')} changed")
    for page in changed:
        click.echo(f"  {config.reports}/{page}")
    pages = ", ".join(PAGES_OF_A_RUN)
    line = f"not rendered: {pages}, which show findings. Run `esper-audit run` for them."
    click.echo(wrapped(line, "", "  "), nl=False)
