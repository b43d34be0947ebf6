"""`esper-audit ticket verify`: the claims of tickets, asked again today."""

from __future__ import annotations

import sys
from datetime import date

import click
import msgspec

from esper_audit.cli.screen import is_terminal, paint
from esper_audit.project.config import find_project
from esper_audit.reports.verification_text import pieces
from esper_audit.tickets.assessment import VerifiedTicket
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.actions import named
from esper_audit.workflow.claim_context import ProjectClaimContext
from esper_audit.workflow.implied_claims import implied_claims
from esper_audit.workflow.verify import exit_status, verify

VERSION = 1


@click.command("verify")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
@click.option(
    "--config", "config_file", default=None, metavar="FILE", help="Use this configuration."
)
def command(ids: tuple[str, ...], style: str, config_file: str | None) -> None:
    """Ask the claims of tickets (of all, if none is named) again, and say what each answers today.

    A ticket that makes no claim, such as an imported one, is asked what its quotations and commits
    imply; nothing is expected of those. Changes nothing. The beginning of an ID is enough if no
    other ticket begins so.

    Exit status: 0 all as the tickets expect; 1 a closed ticket's defect is there, or an active
    one's is not, or a claim answers other than expected; 2 could not run; 3 something could not be
    told.
    """
    project = find_project([], config_file)
    known = TicketStore(project.resolve(project.config.tickets)).load()
    tickets = [named(known, name) for name in ids] if ids else list(known.values())
    today = date.today().isoformat()  # noqa: DTZ011  # the day of whoever asks
    verified = verify(tickets, ProjectClaimContext(project, today=today), implied_claims)
    status = exit_status(verified)
    sys.stdout.write(_json(verified, status) if style == "json" else _text(verified, len(tickets)))
    sys.exit(status)


def _text(verified: list[VerifiedTicket], tickets: int) -> str:
    said = list(pieces(verified, tickets - len(verified)))
    return paint(said) if is_terminal() else "".join(piece.text for piece in said)


def _json(verified: list[VerifiedTicket], status: int) -> str:
    content = {
        "version": VERSION,
        "exit_status": status,
        "tickets": [
            {
                "id": one.ticket.id,
                "status": one.ticket.status,
                "standing": one.assessment,
                "proposed_severity": one.proposal,
                "manifest": one.is_manifest,
                "claims": [
                    {
                        "claim": asked.claim,
                        "answer": asked.reply.answer,
                        "expected": sorted(asked.expected),
                        "evidence": asked.reply.evidence,
                        "places": asked.reply.places,
                        "table": asked.reply.table,
                    }
                    for asked in one.claims
                ],
            }
            for one in verified
        ],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"
