"""NEW esper_audit/tickets/standing.py."""

from __future__ import annotations

import enum

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.reply import DECIDED, Answer, Reply
from esper_audit.findings.finding import Severity
from esper_audit.tickets.parts import EvidenceTable, StoredAnswer
from esper_audit.tickets.states import ACCEPTED, ACTIVE, Status
from esper_audit.tickets.ticket import Ticket

LOWER = list(Severity)  # from the worst down


GONE = frozenset({Answer.REFUTED, Answer.STALE})


# What a claim that states the defect should answer, by what the ticket says became of it.
DEFECT: dict[Status, frozenset[Answer]] = {
    **dict.fromkeys(ACTIVE, frozenset({Answer.HOLDS})),
    Status.FIXED: GONE,
    Status.NOT_A_BUG: GONE,
    Status.WONT_FIX: frozenset({Answer.HOLDS}),
    Status.DUPLICATE: frozenset(Answer),  # the other ticket answers for it
}


SAID_TO_BE_GONE = frozenset({Status.FIXED, Status.NOT_A_BUG})


class Assessment(enum.StrEnum):
    """What the answers say of a ticket; of several, the first that applies."""

    REGRESSED = "regressed"
    NEVER_FIXED = "never fixed"
    PROPOSED_FOR_CLOSING = "proposed for closing"
    CONTRADICTED = "contradicted"
    CANNOT_TELL = "cannot tell"
    AS_EXPECTED = "as expected"
    UNVOUCHED = "not vouched for"


MEANING: dict[Assessment, str] = {
    Assessment.REGRESSED: "closed, and its defect, which was seen gone, is back",
    Assessment.NEVER_FIXED: "closed, but its defect is there and was never seen gone",
    Assessment.PROPOSED_FOR_CLOSING: "active, but every claim that states its defect is refuted",
    Assessment.CONTRADICTED: "a claim answers other than the ticket expects",
    Assessment.CANNOT_TELL: "a claim is stale, or something that it needs was not looked at",
    Assessment.AS_EXPECTED: "every claim answers as the ticket expects",
    Assessment.UNVOUCHED: "it makes no claim; asked was what it quotes and cites, of which nothing is expected",
}


ALARMING = frozenset({Assessment.REGRESSED, Assessment.NEVER_FIXED})


FAILING = ALARMING | {Assessment.PROPOSED_FOR_CLOSING, Assessment.CONTRADICTED}


class Proposal(msgspec.Struct, frozen=True):
    """Another severity for a ticket, and why."""

    severity: Severity
    why: str


class AnsweredClaim(msgspec.Struct, frozen=True):
    """A claim, what it answers, and the answers that would not surprise."""

    claim: Claim
    reply: Reply
    expected: frozenset[Answer]

    @property
    def is_as_expected(self) -> bool:
        """Whether the answer surprises nobody."""
        return self.reply.answer in self.expected


class VerifiedTicket(msgspec.Struct, frozen=True):
    """A ticket with the answers of its claims, and what they say of it."""

    ticket: Ticket
    asked: list[AnsweredClaim]
    standing: Assessment

    @property
    def proposal(self) -> Proposal | None:
        """A lower severity where the defect is there, but no production call meets it: latent.

        A severity that a person gave a reason for is the person's; one that a check proposes is proposed
        with the impact known.
        """
        if self.ticket.impact is not None:
            return None
        hits: list[int] = [a.reply.hits for a in self.asked if a.reply.hits is not None]
        severity = self.ticket.proposed_severity or self.ticket.severity
        is_lowest = severity is LOWER[-1]
        if not hits or any(hits) or is_lowest or self.ticket.severity_reason:
            return None
        if self.ticket.status not in ACTIVE or self.ticket.severity is not severity:
            return None
        return Proposal(LOWER[LOWER.index(severity) + 1], "latent: no production call meets it")

    @property
    def is_manifest(self) -> bool:
        """Whether some production call meets the defect."""
        return any((asked.reply.hits or 0) > 0 for asked in self.asked)

    @property
    def is_without_support(self) -> bool:
        """Whether an accepted ticket can no longer keep its finding quiet: what it rests on is not so."""
        told = self.standing in ALARMING | {Assessment.CONTRADICTED}
        return told and self.ticket.status in ACCEPTED

    @property
    def not_told(self) -> list[AnsweredClaim]:
        """The claims that were expected to answer, and did not."""
        return [a for a in self.asked if a.reply.answer not in DECIDED and not a.is_as_expected]

    @property
    def answers(self) -> list[StoredAnswer]:
        """The answers as the ticket keeps them; what cannot be told today stays as it was last told."""
        before = {answered.claim: answered for answered in self.ticket.answers}
        return [
            before[asked.claim.id]
            if asked.reply.answer is Answer.CANNOT_TELL and asked.claim.id in before
            else _answered(asked, before.get(asked.claim.id))
            for asked in self.asked
        ]


def _answered(asked: AnsweredClaim, before: StoredAnswer | None) -> StoredAnswer:
    """Return an answer to keep; `seen_gone` stays once it is so, for a defect that comes back."""
    reply = asked.reply
    heads, *rows = reply.table or ((),)
    table = EvidenceTable(columns=[str(head) for head in heads], rows=[list(row) for row in rows])
    gone = reply.answer in GONE or (before is not None and before.seen_gone)
    return StoredAnswer(
        claim=asked.claim.id,
        answer=reply.answer,
        evidence=reply.evidence,
        places=list(reply.places),
        table=table if rows else None,
        seen_gone=asked.claim.states_defect and gone,
    )
