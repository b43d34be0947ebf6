"""`esper-audit ticket show`: one ticket, as a person wants to read it."""

from __future__ import annotations

import sys

import click

from esper_audit.cli.screen import is_terminal, paint
from esper_audit.cli.ticket.list import as_json
from esper_audit.project.config import Project, find_project
from esper_audit.tickets.store import TicketStore, relative_path
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.actions import named


@click.command("show")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    help="markdown: the page as in the reports.",
)
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(ids: tuple[str, ...], style: str, config_file: str | None) -> None:
    """Show tickets. The beginning of an ID is enough if no other ticket begins so."""
    project = find_project([], config_file)
    store = TicketStore(project.resolve(project.config.tickets))
    known = store.load()
    tickets = [named(known, name) for name in ids]
    if style == "json":
        sys.stdout.write(as_json(tickets))
    elif style == "markdown":
        sys.stdout.write(_markdown(tickets, project))
    else:
        sys.stdout.write("\n".join(_text(ticket, store) for ticket in tickets))


def _text(ticket: Ticket, store: TicketStore) -> str:
    from esper_audit.reports.ticket_view import pieces

    shown_pieces = pieces(ticket, relative_path(store.path(ticket.id)))
    return paint(shown_pieces) if is_terminal() else "".join(p.text for p in shown_pieces)


def _markdown(tickets: list[Ticket], project: Project) -> str:
    from esper_audit.reports.pages import Reports

    reports = Reports(project)
    return "\n".join(map(reports.ticket, tickets))
