"""The claims of tickets on the audit page: how many are as expected, and each that is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.claims.reply import Answer
from esper_audit.reports.audit.cause_rows import ticket_link
from esper_audit.text.markdown import cell, code, count
from esper_audit.tickets.assessment import MEANING, Assessment, VerifiedTicket

Row = dict[str, str]


def claims_sentence(verified: Sequence[VerifiedTicket]) -> str:
    """Return how many claims were verified, and how many answers are as their tickets expect."""
    claims = [answered for one in verified for answered in one.claims]
    if not claims:
        return ""
    expected = sum(answered.is_expected for answered in claims)
    tickets = sum(bool(one.claims) for one in verified)
    return (
        f"{count(len(claims), 'claim')} of {count(tickets, 'ticket')}: {expected} as expected, "
        f"{len(claims) - expected} not."
    )


def is_surprising(verified: VerifiedTicket) -> bool:
    """Return whether the claims of a ticket say something that its maintainer has to read."""
    return verified.assessment is not Assessment.AS_EXPECTED or verified.proposal is not None


def claims_row(verified: VerifiedTicket) -> Row:
    """Return the row of a ticket, with each answer that it does not expect."""
    ticket, assessment = verified.ticket, verified.assessment
    return {
        "ticket": ticket_link(ticket),
        "status": ticket.status,
        "severity": _severity(verified),
        "answers": ", ".join(_answer_texts(verified)),
        "assessment": assessment if assessment is Assessment.AS_EXPECTED else f"**{assessment}**",
    }


def _answer_texts(verified: VerifiedTicket) -> Iterator[str]:
    """Yield the number of answers that were expected, then every other answer."""
    expected = sum(answered.is_expected for answered in verified.claims)
    if expected:
        yield f"{expected} as expected"
    for answered in verified.claims:
        if not answered.is_expected:
            yield f"{code(answered.claim.id)} {answered.reply.answer.replace('-', ' ')}"


def _severity(verified: VerifiedTicket) -> str:
    proposal = verified.proposal
    if proposal:
        return f"{verified.ticket.severity}, {proposal.severity} proposed ({proposal.why})"
    return verified.ticket.severity + (", manifest" if verified.is_manifest else "")


def assessments(verified: Sequence[VerifiedTicket]) -> list[Row]:
    """Return the legend of the assessments that the table of claims contains."""
    present = {one.assessment for one in verified if is_surprising(one)}
    return [
        {"name": assessment, "meaning": MEANING[assessment]}
        for assessment in Assessment
        if assessment in present
    ]


def unverified_claims(verified: Sequence[VerifiedTicket]) -> list[str]:
    """Return a line for each claim that could not be answered, with the reason."""
    return [
        cell(f"Claim {answered.claim.id} of {one.ticket.id}: {answered.reply.evidence}")
        for one in verified
        for answered in one.claims
        if answered.reply.answer is Answer.CANNOT_TELL
    ]
