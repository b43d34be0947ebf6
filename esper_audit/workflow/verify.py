"""The verification of tickets: the answers of their claims, and the assessment that results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.registry import answer
from esper_audit.claims.reply import DECIDED, Answer
from esper_audit.findings.audit import CLEAN, FINDINGS, NOT_ALL_ANALYSED
from esper_audit.tickets.assessment import (
    CLOSED_AS_GONE,
    FAILING,
    AnsweredClaim,
    Assessment,
    VerifiedTicket,
    expected_answers,
)
from esper_audit.tickets.parts import TOOL
from esper_audit.tickets.states import ACTIVE, Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.claim_context import ProjectClaimContext


def verify(
    tickets: Iterable[Ticket],
    context: ProjectClaimContext,
    implied: Callable[[Ticket], list[Claim]] = lambda _: [],
) -> list[VerifiedTicket]:
    """Evaluate all claims of all tickets.

    The checks and jobs that they need run once for all.

    For a ticket without claims, those that `implied` returns are evaluated. A ticket that has neither
    is left out.
    """
    all_tickets = list(tickets)
    claims = {ticket.id: ticket.claims or implied(ticket) for ticket in all_tickets}
    context.prepare(claim for of_ticket in claims.values() for claim in of_ticket)
    verified = [_verify(t, claims[t.id], context) for t in all_tickets if claims[t.id]]
    context.close()
    return verified


def with_answers(
    verified: Iterable[VerifiedTicket], known: Mapping[str, Ticket]
) -> dict[str, Ticket]:
    """Return the known tickets with the new answers of their claims.

    A verified ticket that is not known any more, because its file was removed meanwhile, is left out.
    """
    answers = {one.ticket.id: one.answers for one in verified}
    return {
        ticket_id: msgspec.structs.replace(ticket, answers=answers[ticket_id])
        if ticket_id in answers
        else ticket
        for ticket_id, ticket in known.items()
    }


def exit_status(verified: Iterable[VerifiedTicket]) -> int:
    """Return 0 if all claims are as expected, 3 if a claim could not be verified, else 1."""
    all_verified = list(verified)
    if any(one.undecided for one in all_verified):
        return NOT_ALL_ANALYSED
    return FINDINGS if any(one.assessment in FAILING for one in all_verified) else CLEAN


def _verify(
    ticket: Ticket, claims: Iterable[Claim], context: ProjectClaimContext
) -> VerifiedTicket:
    if not ticket.claims:
        implied = [
            AnsweredClaim(claim, answer(claim, context), frozenset(Answer)) for claim in claims
        ]
        return VerifiedTicket(ticket, implied, Assessment.UNVOUCHED)
    answered = [
        AnsweredClaim(claim, answer(claim, context), expected_answers(claim, ticket.status))
        for claim in claims
    ]
    return VerifiedTicket(ticket, answered, _assessment(ticket, answered))


def _assessment(ticket: Ticket, answered: Sequence[AnsweredClaim]) -> Assessment:
    defects = [one for one in answered if one.claim.states_defect]
    present = [one for one in defects if one.reply.answer is Answer.HOLDS]
    surprises = [one.reply.answer for one in answered if not one.is_expected]
    if ticket.status in CLOSED_AS_GONE and present:
        seen_gone = any(_was_seen_gone(ticket, one.claim) for one in present)
        return Assessment.REGRESSED if seen_gone else Assessment.NEVER_FIXED
    refuted = [one for one in defects if one.reply.answer is Answer.REFUTED]
    if ticket.status in ACTIVE and defects and refuted == defects:
        return Assessment.PROPOSED_FOR_CLOSING
    if DECIDED & set(surprises):
        return Assessment.CONTRADICTED
    return Assessment.CANNOT_TELL if surprises else Assessment.AS_EXPECTED


def _was_seen_gone(ticket: Ticket, claim: Claim) -> bool:
    """Return whether a run ever found the defect gone.

    A status set by hand does not count.
    """
    closed_by_tool = any(c.by == TOOL and c.after == Status.FIXED for c in ticket.history)
    return closed_by_tool or any(a.claim == claim.id and a.seen_gone for a in ticket.answers)
