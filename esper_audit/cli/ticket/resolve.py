"""`esper-audit ticket resolve`: how a ticket ended, and what shows it."""

from __future__ import annotations

from datetime import date

import click
import msgspec

from esper_audit.findings.errors import UsageError
from esper_audit.project.config import find_project
from esper_audit.tickets.parts import Resolution
from esper_audit.tickets.states import ResolutionKind
from esper_audit.workflow.actions import TicketActions


@click.command("resolve")
@click.argument("ticket_id", metavar="ID")
@click.option("--kind", required=True, type=click.Choice([one.value for one in ResolutionKind]))
@click.option("--evidence", default="", metavar="TEXT", help="What shows it; Markdown.")
@click.option("--commit", "commits", multiple=True, metavar="HASH", help="May be repeated.")
@click.option("--of", "other", default="", metavar="ID", help="The ticket it is a duplicate of.")
@click.option("--sign-off", default="", metavar="NAME", help="Who answers for it.")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(
    ticket_id: str,
    kind: str,
    evidence: str,
    commits: tuple[str, ...],
    other: str,
    sign_off: str,
    config_file: str | None,
) -> None:
    """Resolve a ticket.

    `fixed` needs evidence or a commit that exists; every other kind needs evidence, and `duplicate`
    the other ticket too. `esper-audit check` keeps quiet about what is no bug, accepted or a
    duplicate, and speaks up again if what is `fixed` is found.
    """
    today = date.today().isoformat()  # noqa: DTZ011  # the day of whoever resolves
    content = {"kind": kind, "evidence": evidence, "commits": commits, "sign_off": sign_off}
    try:
        end = msgspec.convert(content, Resolution)
    except msgspec.ValidationError as error:
        raise UsageError(f"--commit wants hexadecimal names, found {', '.join(commits)}") from error
    done = TicketActions(find_project([], config_file), today).resolve(ticket_id, end, of=other)
    before, after = done.ticket.history[-1].before, done.ticket.status
    click.echo(f"{done.ticket.id}: {before} -> {after}")
    for also in done.written:
        if also != done.ticket.id:
            click.echo(f"{also}: linked back")
