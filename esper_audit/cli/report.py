"""`esper-audit report`: the ticket pages again, from the tickets alone."""

from __future__ import annotations

import click

from esper_audit.project.config import find_project
from esper_audit.reports.pages import Reports
from esper_audit.text.markdown import count
from esper_audit.tickets.store import TicketStore


@click.command("report")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(config_file: str | None) -> None:
    """Render the page of every ticket again; `esper-audit run` renders the audit's own pages too."""
    project = find_project([], config_file)
    tickets = TicketStore(project.resolve(project.config.tickets)).load()
    changed = Reports(project).write_tickets(tickets.values())
    click.echo(f"{count(len(tickets), 'ticket')}, {count(len(changed), 'page')} changed")
    for page in changed:
        click.echo(f"  {project.config.reports}/{page}")
