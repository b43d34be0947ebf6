"""`esper-audit ticket resolve`: close a ticket with a resolution and its evidence."""

from __future__ import annotations

import click
import msgspec

from esper_audit.cli.local_date import today
from esper_audit.cli.options import project_options
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project
from esper_audit.tickets.parts import Resolution
from esper_audit.tickets.states import ResolutionKind
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.actions import TicketActions


@click.command("resolve", short_help="Resolve a ticket.")
@click.argument("ticket_id", metavar="ID")
@click.option(
    "--kind",
    required=True,
    type=click.Choice([kind.value for kind in ResolutionKind]),
    help="Kind of resolution.",
)
@click.option("--evidence", default="", metavar="TEXT", help="Evidence, in Markdown.")
@click.option(
    "--commit",
    "commits",
    multiple=True,
    metavar="HASH",
    help="Commit that resolves the ticket (may be repeated).",
)
@click.option(
    "--of", "original", default="", metavar="ID", help="Original ticket, for --kind duplicate."
)
@click.option("--sign-off", default="", metavar="NAME", help="Name of the approver.")
@project_options
def command(
    project: Project,
    *,
    ticket_id: str,
    kind: str,
    evidence: str,
    commits: tuple[str, ...],
    original: str,
    sign_off: str,
) -> None:
    """Resolve the ticket ID.

    `fixed` needs evidence or an existing commit, every other kind needs evidence, and `duplicate`
    also needs the original ticket (--of). A check does not report the finding of a ticket that is
    not a bug, accepted or a duplicate, but it reports one that is `fixed` and occurs again.
    """
    content = {"kind": kind, "evidence": evidence, "commits": commits, "sign_off": sign_off}
    try:
        resolution = msgspec.convert(content, Resolution)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"--commit: not a hexadecimal commit name (got {', '.join(commits)})"
        ) from error
    store = TicketStore(project.resolve(project.config.tickets))
    result = TicketActions(store, project.root, today()).resolve(ticket_id, resolution, of=original)
    ticket = result.ticket
    click.echo(f"{ticket.id}: {ticket.history[-1].before} -> {ticket.status}")
    for other in result.written:
        if other != ticket.id:
            click.echo(f"{other}: link added")
