"""Asking the claims of tickets again: what each answers today, and what that says of its ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.registry import answer
from esper_audit.claims.reply import DECIDED, Answer
from esper_audit.findings.audit import CLEAN, FINDINGS, NOT_ALL_ANALYSED
from esper_audit.tickets.assessment import (
    CLOSED_AS_GONE,
    DEFECT_ANSWERS,
    FAILING,
    AnsweredClaim,
    Assessment,
    VerifiedTicket,
)
from esper_audit.tickets.parts import TOOL
from esper_audit.tickets.states import ACTIVE, Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.claim_context import ProjectClaimContext


def verify(
    tickets: Iterable[Ticket],
    inquiry: ProjectClaimContext,
    implied: Callable[[Ticket], list[Claim]] = lambda _: [],
) -> list[VerifiedTicket]:
    """Ask all claims of all tickets; what they need is run once for all of them.

    A ticket that makes no claim is asked what it is said to imply.
    """
    listed = list(tickets)
    claims = {ticket.id: ticket.claims or implied(ticket) for ticket in listed}
    inquiry.prepare(claim for asked in claims.values() for claim in asked)
    verified = [_verified(one, claims[one.id], inquiry) for one in listed if claims[one.id]]
    inquiry.close()
    return verified


def with_answers(
    verified: Iterable[VerifiedTicket], known: Mapping[str, Ticket]
) -> dict[str, Ticket]:
    """Return tickets with what their claims answered; one that somebody took away meanwhile stays away."""
    answers = {one.ticket.id: one.answers for one in verified}
    return {
        ticket_id: msgspec.structs.replace(ticket, answers=answers[ticket_id])
        if ticket_id in answers
        else ticket
        for ticket_id, ticket in known.items()
    }


def exit_status(verified: Iterable[VerifiedTicket]) -> int:
    """Return 0 if all is as expected, 3 if something cannot be told, else 1."""
    all_verified = list(verified)
    if any(one.undecided for one in all_verified):
        return NOT_ALL_ANALYSED
    return FINDINGS if any(one.assessment in FAILING for one in all_verified) else CLEAN


def _verified(
    ticket: Ticket, claims: Iterable[Claim], inquiry: ProjectClaimContext
) -> VerifiedTicket:
    if not ticket.claims:
        unvouched = [
            AnsweredClaim(claim, answer(claim, inquiry), frozenset(Answer)) for claim in claims
        ]
        return VerifiedTicket(ticket, unvouched, Assessment.UNVOUCHED)
    asked = [
        AnsweredClaim(claim, answer(claim, inquiry), _expected(claim, ticket.status))
        for claim in claims
    ]
    return VerifiedTicket(ticket, asked, _standing(ticket, asked))


def _expected(claim: Claim, status: Status) -> frozenset[Answer]:
    if claim.states_defect:
        return DEFECT_ANSWERS[status]
    return frozenset({claim.expect or Answer.HOLDS})


def _standing(ticket: Ticket, asked: Sequence[AnsweredClaim]) -> Assessment:
    defects = [one for one in asked if one.claim.states_defect]
    present = [one for one in defects if one.reply.answer is Answer.HOLDS]
    surprises = [one.reply.answer for one in asked if not one.is_expected]
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
    """Return whether the tool itself ever saw a defect gone; that somebody wrote so is no sight of it."""
    closed_by_tool = any(c.by == TOOL and c.after == Status.FIXED for c in ticket.history)
    return closed_by_tool or any(a.claim == claim.id and a.seen_gone for a in ticket.answers)
