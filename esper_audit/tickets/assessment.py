"""What the answers of a ticket's claims mean for the ticket: the assessment, a severity, the stored answers."""

from __future__ import annotations

import enum

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.reply import DECIDED, Answer, Reply
from esper_audit.findings.finding import Severity
from esper_audit.tickets.parts import EvidenceTable, StoredAnswer
from esper_audit.tickets.states import ACCEPTED, ACTIVE, Status
from esper_audit.tickets.ticket import Ticket

SEVERITIES = list(Severity)  # from the highest down
GONE = frozenset({Answer.REFUTED, Answer.STALE})
# The expected answers of a claim that states the defect, by the status of the ticket.
DEFECT_ANSWERS: dict[Status, frozenset[Answer]] = {
    **dict.fromkeys(ACTIVE, frozenset({Answer.HOLDS})),
    Status.FIXED: GONE,
    Status.NOT_A_BUG: GONE,
    Status.WONT_FIX: frozenset({Answer.HOLDS}),
    Status.DUPLICATE: frozenset(Answer),  # the other ticket has the claims
}
CLOSED_AS_GONE = frozenset({Status.FIXED, Status.NOT_A_BUG})


def expected_answers(claim: Claim, status: Status) -> frozenset[Answer]:
    """Return the answers that a claim of a ticket with a status should have."""
    if claim.states_defect:
        return DEFECT_ANSWERS[status]
    return frozenset({claim.expect or Answer.HOLDS})


class Assessment(enum.StrEnum):
    """What the answers mean for a ticket, the first if several apply."""

    REGRESSED = "regressed"
    NEVER_FIXED = "never fixed"
    PROPOSED_FOR_CLOSING = "proposed for closing"
    CONTRADICTED = "contradicted"
    CANNOT_TELL = "cannot tell"
    AS_EXPECTED = "as expected"
    UNVOUCHED = "not vouched for"


MEANING: dict[Assessment, str] = {
    Assessment.REGRESSED: "closed, and its defect, which was seen gone, is present again",
    Assessment.NEVER_FIXED: "closed, but its defect is present and was never seen gone",
    Assessment.PROPOSED_FOR_CLOSING: "active, but every claim that states its defect is refuted",
    Assessment.CONTRADICTED: "the answer of a claim is not the one that the ticket expects",
    Assessment.CANNOT_TELL: "a claim is stale, or something that it needs was not looked at",
    Assessment.AS_EXPECTED: "the answers of all claims are as the ticket expects",
    Assessment.UNVOUCHED: "without claims; those that its text implies were asked, and no answer is expected",
}
ALARMING = frozenset({Assessment.REGRESSED, Assessment.NEVER_FIXED})
FAILING = ALARMING | {Assessment.PROPOSED_FOR_CLOSING, Assessment.CONTRADICTED}


class Proposal(msgspec.Struct, frozen=True):
    """Another severity for a ticket, and the reason."""

    severity: Severity
    why: str


class AnsweredClaim(msgspec.Struct, frozen=True):
    """A claim, its answer, and the answers that are expected."""

    claim: Claim
    reply: Reply
    expected: frozenset[Answer]

    @property
    def is_expected(self) -> bool:
        """Return whether the answer is one of those expected."""
        return self.reply.answer in self.expected


class VerifiedTicket(msgspec.Struct, frozen=True):
    """A ticket with the answers of its claims, and what they mean for it."""

    ticket: Ticket
    claims: list[AnsweredClaim]
    assessment: Assessment

    @property
    def proposal(self) -> Proposal | None:
        """A lower severity for a latent defect, one that is present but that no production call meets.

        None for a severity with a reason, which is a person's decision, and for a ticket with an impact,
        which the severity that the check proposes takes into account.
        """
        if self.ticket.impact is not None:
            return None
        hits = [c.reply.hits for c in self.claims if c.reply.hits is not None]
        severity = self.ticket.proposed_severity or self.ticket.severity
        is_lowest = severity is SEVERITIES[-1]
        if not hits or any(hits) or is_lowest or self.ticket.severity_reason:
            return None
        if self.ticket.status not in ACTIVE or self.ticket.severity is not severity:
            return None
        return Proposal(
            SEVERITIES[SEVERITIES.index(severity) + 1], "latent: no production call meets it"
        )

    @property
    def is_manifest(self) -> bool:
        """Return whether a production call meets the defect."""
        return any((claim.reply.hits or 0) > 0 for claim in self.claims)

    @property
    def is_unsupported(self) -> bool:
        """Return whether an accepted ticket no longer excuses its finding: its claims contradict it."""
        contradicted = self.assessment in ALARMING | {Assessment.CONTRADICTED}
        return contradicted and self.ticket.status in ACCEPTED

    @property
    def undecided(self) -> list[AnsweredClaim]:
        """The claims that neither hold nor are refuted, where one of the two was expected."""
        return [c for c in self.claims if c.reply.answer not in DECIDED and not c.is_expected]

    @property
    def answers(self) -> list[StoredAnswer]:
        """The answers to store, for a claim without an answer today its last one."""
        before = {answer.claim: answer for answer in self.ticket.answers}
        return [
            before[one.claim.id]
            if one.reply.answer is Answer.CANNOT_TELL and one.claim.id in before
            else _stored(one, before.get(one.claim.id))
            for one in self.claims
        ]


def _stored(answered: AnsweredClaim, before: StoredAnswer | None) -> StoredAnswer:
    """Return the answer to store, whose `seen_gone` stays true when the defect comes back."""
    reply = answered.reply
    heads, *rows = reply.table or ((),)
    table = EvidenceTable(columns=[str(head) for head in heads], rows=[list(row) for row in rows])
    gone = reply.answer in GONE or (before is not None and before.seen_gone)
    return StoredAnswer(
        claim=answered.claim.id,
        answer=reply.answer,
        evidence=reply.evidence,
        places=list(reply.places),
        table=table if rows else None,
        seen_gone=answered.claim.states_defect and gone,
    )
