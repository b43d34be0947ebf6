"""`esper-audit ticket accept`: accept many active tickets with one reason, as when a check is adopted."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from esper_audit.cli.local_date import today
from esper_audit.cli.options import (
    check_option,
    contract_option,
    path_option,
    project_options,
    severity_option,
    until_option,
)
from esper_audit.cli.ticket.list import require_known
from esper_audit.cli.ticket.resolve import resolution_of
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project
from esper_audit.text.markdown import count
from esper_audit.tickets.query import TicketFilter
from esper_audit.tickets.states import ResolutionKind
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.actions import TicketActions


@click.command("accept", short_help="Accept many active tickets with one reason.")
@check_option
@contract_option
@severity_option
@path_option
@click.option("--all", "is_all", is_flag=True, help="Every active ticket.")
@click.option("--evidence", required=True, metavar="TEXT", help="Reason, in Markdown.")
@until_option
@click.option("--sign-off", default="", metavar="NAME", help="Name of the approver.")
@project_options
def command(
    project: Project, *, is_all: bool, evidence: str, until: str, sign_off: str, **conditions: Any
) -> None:
    """Resolve the active tickets that match all options as `wont-fix`, with one reason.

    An option may be repeated: a ticket then matches one of its values. Tickets to which a review
    objects stay active.
    """
    if is_all == any(conditions.values()):
        raise UsageError("name the tickets: by --check, --contract, --severity or --path, or --all")
    store = TicketStore(project.resolve(project.config.tickets))
    meant = msgspec.convert(conditions, TicketFilter)
    require_known(meant, store.load().values())
    content = {
        "kind": ResolutionKind.WONT_FIX,
        "until": until,
        "evidence": evidence,
        "sign_off": sign_off,
        "commits": (),
    }
    resolution = resolution_of(project, content)
    result = TicketActions(store, project.root, today()).accept(meant, resolution)
    click.echo(
        f"{count(len(result.accepted), 'ticket')} accepted" + (f" until {until}" if until else "")
    )
    for ticket_id in result.kept:
        click.echo(f"  {ticket_id} stays active: a review objects")
