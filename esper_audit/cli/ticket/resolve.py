"""`esper-audit ticket resolve`: close a ticket with a resolution and its evidence."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from esper_audit.cli.local_date import today
from esper_audit.cli.options import project_options, until_option
from esper_audit.findings.errors import UsageError
from esper_audit.project.config import Project
from esper_audit.tickets.parts import Resolution
from esper_audit.tickets.states import ACCEPTED, STATUS_OF, ResolutionKind
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
@until_option
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
    until: str,
    sign_off: str,
) -> None:
    """Resolve the ticket ID.

    `fixed` needs evidence or an existing commit, every other kind needs evidence, and `duplicate`
    also needs the original ticket (--of). A check does not report the finding of a ticket that is
    not a bug, accepted or a duplicate, but it reports one that is `fixed` and occurs again, and one
    that was accepted --until a day that is over.
    """
    content = {
        "kind": kind,
        "until": until,
        "evidence": evidence,
        "commits": commits,
        "sign_off": sign_off,
    }
    resolution = resolution_of(project, content)
    store = TicketStore(project.resolve(project.config.tickets))
    result = TicketActions(store, project.root, today()).resolve(ticket_id, resolution, of=original)
    ticket = result.ticket
    click.echo(f"{ticket.id}: {ticket.history[-1].before} -> {ticket.status}")
    for other in result.written:
        if other != ticket.id:
            click.echo(f"{other}: link added")


def resolution_of(project: Project, content: dict[str, Any]) -> Resolution:
    """Return the resolution that the options of a command describe.

    Raises UsageError.
    """
    is_accepted = STATUS_OF[ResolutionKind(content["kind"])] in ACCEPTED
    if is_accepted and not content["until"] and project.config.suppressions.require_expiry:
        raise UsageError("--until is missing: the configuration has `require-expiry`. Name a day.")
    try:
        return msgspec.convert(content, Resolution)
    except msgspec.ValidationError as error:
        raise UsageError(_problem(str(error), content)) from error


def _problem(error: str, content: dict[str, Any]) -> str:
    """Return what is wrong with the options of a resolution that does not convert."""
    if "commits" in error:
        return f"--commit: not a hexadecimal commit name (got {', '.join(content['commits'])})"
    if "acceptance" in error:
        return (
            f"--until only applies to an acceptance (got --kind {content['kind']}). Leave it out."
        )
    return f"--until: no such day (got {content['until']}, expected YYYY-MM-DD)"
