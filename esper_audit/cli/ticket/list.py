"""`esper-audit ticket list`: the tickets that match a filter, one in a line."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import click
import msgspec

from esper_audit.cli.options import (
    check_option,
    contract_option,
    format_option,
    path_option,
    project_options,
    severity_option,
)
from esper_audit.cli.screen import for_screen
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project
from esper_audit.text.phrases import did_you_mean
from esper_audit.text.terminal import width
from esper_audit.tickets.query import ACTIVE_ONLY, ALL, TicketFilter, sort_tickets
from esper_audit.tickets.states import Status
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket

VERSION = 1
STATUSES = [ACTIVE_ONLY, ALL, *(status.value for status in Status)]


@click.command("list", short_help="List tickets, by default the active ones.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES),
    metavar="STATUS",
    default=[ACTIVE_ONLY],
    show_default=True,
    help="Status as listed above.",
)
@severity_option
@click.option("--domain", "domains", multiple=True, metavar="NAME", help="Domain, or a parent.")
@contract_option
@check_option
@path_option
@format_option()
@project_options
def command(project: Project, *, style: str, **conditions: Any) -> None:
    """List the tickets that match all options, the most severe first.

    An option may be repeated: a ticket then matches one of its values. STATUS is one of

    \b
      open, investigating, in-review   (together: active)
      fixed, not-a-bug, wont-fix, duplicate
      active, all
    """
    known = TicketStore(project.resolve(project.config.tickets)).load().values()
    ticket_filter = msgspec.convert(conditions, TicketFilter)
    require_known(ticket_filter, known)
    tickets = sort_tickets(filter(ticket_filter, known))
    sys.stdout.write(as_json(tickets) if style == "json" else _text(tickets, ticket_filter, known))


def require_known(ticket_filter: TicketFilter, known: Iterable[Ticket]) -> None:
    """Raise UsageError for a value that no ticket has: an empty list would hide a typing error."""
    tickets = list(known)
    domains = {ticket.domain for ticket in tickets}
    values: dict[str, tuple[Sequence[str], set[str]]] = {
        "domain": (ticket_filter.domains, domains | {d.rpartition("/")[0] for d in domains}),
        "contract": (ticket_filter.contracts, {ticket.contract for ticket in tickets}),
        "check": (ticket_filter.checks, {ticket.check for ticket in tickets}),
    }
    for name, (selected, present) in values.items():
        for value in selected:
            if value.rstrip("/") not in present:
                near = did_you_mean(value, present - {""})
                raise UsageError(f"no ticket has the {name} '{value}'{near}")


def _text(tickets: list[Ticket], ticket_filter: TicketFilter, known: Collection[Ticket]) -> str:
    from esper_audit.reports.ticket_list import styled_list

    in_any_status = msgspec.structs.replace(ticket_filter, statuses=[ALL])
    is_default = ticket_filter.statuses == [ACTIVE_ONLY]
    left_out = sum(map(in_any_status, known)) - len(tickets) if is_default else 0
    return for_screen(styled_list(tickets, left_out, width()))


def as_json(tickets: list[Ticket]) -> str:
    """Return tickets as a JSON object with the format's version."""
    content = {"version": VERSION, "tickets": tickets}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"
