"""`esper-audit ticket show`: all fields of tickets, as text."""

from __future__ import annotations

import sys

import click

from esper_audit.cli.options import format_option, project_options
from esper_audit.cli.screen import for_screen
from esper_audit.cli.ticket.list import as_json
from esper_audit.project.config import Project
from esper_audit.tickets.store import TicketStore, relative_path
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.actions import find_ticket


@click.command("show", short_help="Show tickets in full.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@format_option(("text", "markdown", "json"), "Output format; markdown is the page of the reports.")
@project_options
def command(project: Project, *, ids: tuple[str, ...], style: str) -> None:
    """Show the tickets ID in full.

    The beginning of an id is enough if it is unique.
    """
    store = TicketStore(project.resolve(project.config.tickets))
    known = store.load()
    tickets = [find_ticket(known, name) for name in ids]
    if style == "json":
        sys.stdout.write(as_json(tickets))
    elif style == "markdown":
        sys.stdout.write(_markdown(tickets, project))
    else:
        sys.stdout.write("\n".join(_text(ticket, store) for ticket in tickets))


def _text(ticket: Ticket, store: TicketStore) -> str:
    from esper_audit.reports.ticket_view import styled_ticket

    return for_screen(styled_ticket(ticket, relative_path(store.path(ticket.id))))


def _markdown(tickets: list[Ticket], project: Project) -> str:
    from esper_audit.reports.pages import project_reports

    return "\n".join(map(project_reports(project).render_ticket, tickets))
