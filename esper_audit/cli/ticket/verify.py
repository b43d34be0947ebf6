"""`esper-audit ticket verify`: evaluate the claims of tickets."""

from __future__ import annotations

import sys

import click
import msgspec

from esper_audit.cli.local_date import today
from esper_audit.cli.options import format_option, project_options
from esper_audit.cli.screen import for_screen
from esper_audit.project.config import Project
from esper_audit.reports.verification_text import styled_verification
from esper_audit.tickets.assessment import AnsweredClaim, Assessment, VerifiedTicket
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.actions import find_ticket
from esper_audit.workflow.claim_context import ProjectClaimContext
from esper_audit.workflow.implied_claims import implied_claims
from esper_audit.workflow.reported_findings import reported_findings
from esper_audit.workflow.verify import exit_status, verify

VERSION = 1


@click.command("verify", short_help="Verify the claims of tickets.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@format_option()
@project_options
def command(project: Project, *, ids: tuple[str, ...], style: str) -> None:
    """Verify the claims of the tickets ID, by default of all tickets. No file is changed.

    The beginning of an id is enough if it is unique. For a ticket without claims, such as an imported
    one, the claims are asked that its text implies: its locations, quotations and commits, and phrases such
    as "never called" or "no test". They are marked as implied and do not change the exit status.

    Exit status: 0 all claims are as expected; 1 a closed ticket's defect is present, an active
    ticket's defect is gone, or a claim contradicts its ticket; 2 could not run; 3 a claim could not
    be verified.
    """
    known = TicketStore(project.resolve(project.config.tickets)).load()
    tickets = [find_ticket(known, name) for name in ids] if ids else list(known.values())
    reported = reported_findings(known.values())
    context = ProjectClaimContext(project, today=today(), reported=reported)
    verified = verify(tickets, context, implied_claims)
    status = exit_status(verified)
    if style == "json":
        sys.stdout.write(_json(verified, status))
    else:
        without_claims = len(tickets) - len(verified)
        sys.stdout.write(for_screen(styled_verification(verified, without_claims)))
    sys.exit(status)


def _json(verified: list[VerifiedTicket], status: int) -> str:
    content = {
        "version": VERSION,
        "exit_status": status,
        "tickets": list(map(_ticket_data, verified)),
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def _ticket_data(verified: VerifiedTicket) -> dict[str, object]:
    is_implied = verified.assessment is Assessment.UNVOUCHED
    return {
        "id": verified.ticket.id,
        "status": verified.ticket.status,
        "standing": verified.assessment,
        "proposed_severity": verified.proposal,
        "manifest": verified.is_manifest,
        "claims": [_claim_data(one, is_implied=is_implied) for one in verified.claims],
    }


def _claim_data(answered: AnsweredClaim, *, is_implied: bool) -> dict[str, object]:
    return {
        "claim": answered.claim,
        "implied": is_implied,
        "answer": answered.reply.answer,
        "expected": sorted(answered.expected),
        "evidence": answered.reply.evidence,
        "places": answered.reply.places,
        "table": answered.reply.table,
    }
