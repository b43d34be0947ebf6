"""`esper-audit report`: render the ticket pages from the ticket files."""

from __future__ import annotations

import click

from esper_audit.cli.options import project_options
from esper_audit.project.config import Project
from esper_audit.reports.pages import project_reports
from esper_audit.text.markdown import count
from esper_audit.tickets.store import TicketStore


@click.command("report", short_help="Render the ticket pages again.")
@project_options
def command(project: Project) -> None:
    """Render the page of every ticket again from its YAML file.

    `esper-audit run` also writes the pages of the audit: audit.md, deep-dive.md and index.html.
    """
    config = project.config
    tickets = TicketStore(project.resolve(config.tickets)).load()
    changed = project_reports(project).write_tickets(tickets.values())
    click.echo(f"{count(len(tickets), 'ticket')}, {count(len(changed), 'page')} changed")
    for page in changed:
        click.echo(f"  {config.reports}/{page}")
