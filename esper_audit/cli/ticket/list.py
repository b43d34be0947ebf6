"""`esper-audit ticket list`: the tickets there are, or those one asks for."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import click
import msgspec

from esper_audit.cli.screen import is_terminal, paint
from esper_audit.findings.errors import UsageError
from esper_audit.findings.finding import Severity
from esper_audit.project.config import find_project
from esper_audit.text.phrases import did_you_mean
from esper_audit.tickets.query import ACTIVE_ONLY, ALL, TicketFilter, sort_tickets
from esper_audit.tickets.states import Status
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket

VERSION = 1
STATUSES = [ACTIVE_ONLY, ALL, *(status.value for status in Status)]
SEVERITIES = [severity.value for severity in Severity]
WIDTH = 80


@click.command("list")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES),
    default=[ACTIVE_ONLY],
    show_default=True,
)
@click.option("--severity", "severities", multiple=True, type=click.Choice(SEVERITIES))
@click.option("--domain", "domains", multiple=True, metavar="NAME")
@click.option("--contract", "contracts", multiple=True, metavar="ID")
@click.option("--check", "checks", multiple=True, metavar="ID", help="A rule or a probe.")
@click.option("--path", "paths", multiple=True, metavar="PATH", help="A file, directory, pattern.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(config_file: str | None, style: str, **wanted: Any) -> None:
    """List tickets: the active ones, the worst first. Options may be repeated."""
    project = find_project([], config_file)
    known = TicketStore(project.resolve(project.config.tickets)).load().values()
    asked = msgspec.convert(wanted, TicketFilter)
    _require_known(asked, known)
    tickets = sort_tickets(filter(asked, known))
    sys.stdout.write(as_json(tickets) if style == "json" else _text(tickets, asked, known))


def _require_known(asked: TicketFilter, known: Any) -> None:
    """Refuse a word that no ticket has: it is a slip of the pen, and an empty list would hide it."""
    outer = {domain.rpartition("/")[0] for domain in (ticket.domain for ticket in known)}
    words = {
        "domain": (asked.domains, {ticket.domain for ticket in known} | outer),
        "contract": (asked.contracts, {ticket.contract for ticket in known}),
        "check": (asked.checks, {ticket.check for ticket in known}),
    }
    for name, (wanted, there) in words.items():
        for word in wanted:
            if word.rstrip("/") not in there:
                near = did_you_mean(word, there - {""})
                raise UsageError(f"no ticket has the {name} '{word}'{near}")


def _text(tickets: list[Ticket], asked: TicketFilter, known: Any) -> str:
    from esper_audit.reports.ticket_list import pieces

    everything = msgspec.structs.replace(asked, statuses=[ALL])
    is_default = asked.statuses == [ACTIVE_ONLY]
    left_out = sum(map(everything, known)) - len(tickets) if is_default else 0
    if is_terminal():
        return paint(pieces(tickets, left_out, shutil.get_terminal_size((WIDTH, 24)).columns))
    return "".join(piece.text for piece in pieces(tickets, left_out, WIDTH))


def as_json(tickets: list[Ticket]) -> str:
    """Return tickets for scripts."""
    content = {"version": VERSION, "tickets": tickets}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"
