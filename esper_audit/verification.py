"""Asking the claims of tickets again: what each answers today, and what that says of its ticket."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from esper_audit.audit import CLEAN, FINDINGS, NOT_ALL_ANALYSED
from esper_audit.claim import TOLD, Answer, Claim, Reply
from esper_audit.finding import Severity
from esper_audit.inquiry import Inquiry
from esper_audit.ticket import Ticket
from esper_audit.ticket_parts import TOOL, Answered, Table
from esper_audit.ticket_states import ACCEPTED, ACTIVE, Status

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


class Standing(enum.StrEnum):
    """What the answers say of a ticket; of several, the first that applies."""

    REGRESSED = "regressed"
    NEVER_FIXED = "never fixed"
    PROPOSED_FOR_CLOSING = "proposed for closing"
    CONTRADICTED = "contradicted"
    CANNOT_TELL = "cannot tell"
    AS_EXPECTED = "as expected"
    UNVOUCHED = "not vouched for"


MEANING: dict[Standing, str] = {
    Standing.REGRESSED: "closed, and its defect, which was seen gone, is back",
    Standing.NEVER_FIXED: "closed, but its defect is there and was never seen gone",
    Standing.PROPOSED_FOR_CLOSING: "active, but every claim that states its defect is refuted",
    Standing.CONTRADICTED: "a claim answers other than the ticket expects",
    Standing.CANNOT_TELL: "a claim is stale, or something that it needs was not looked at",
    Standing.AS_EXPECTED: "every claim answers as the ticket expects",
    Standing.UNVOUCHED: "it makes no claim; asked was what it quotes and cites, of which nothing is expected",
}
ALARMING = frozenset({Standing.REGRESSED, Standing.NEVER_FIXED})
FAILING = ALARMING | {Standing.PROPOSED_FOR_CLOSING, Standing.CONTRADICTED}


class Proposal(msgspec.Struct, frozen=True):
    """Another severity for a ticket, and why."""

    severity: Severity
    why: str


class Asked(msgspec.Struct, frozen=True):
    """A claim, what it answers, and the answers that would not surprise."""

    claim: Claim
    reply: Reply
    expected: frozenset[Answer]

    @property
    def is_as_expected(self) -> bool:
        """Whether the answer surprises nobody."""
        return self.reply.answer in self.expected


class Verified(msgspec.Struct, frozen=True):
    """A ticket with the answers of its claims, and what they say of it."""

    ticket: Ticket
    asked: list[Asked]
    standing: Standing

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
        told = self.standing in ALARMING | {Standing.CONTRADICTED}
        return told and self.ticket.status in ACCEPTED

    @property
    def not_told(self) -> list[Asked]:
        """The claims that were expected to answer, and did not."""
        return [a for a in self.asked if a.reply.answer not in TOLD and not a.is_as_expected]

    @property
    def answers(self) -> list[Answered]:
        """The answers as the ticket keeps them; what cannot be told today stays as it was last told."""
        before = {answered.claim: answered for answered in self.ticket.answers}
        return [
            before[asked.claim.id]
            if asked.reply.answer is Answer.CANNOT_TELL and asked.claim.id in before
            else _answered(asked, before.get(asked.claim.id))
            for asked in self.asked
        ]


def verify(
    tickets: Iterable[Ticket],
    inquiry: Inquiry,
    implied: Callable[[Ticket], list[Claim]] = lambda _: [],
) -> list[Verified]:
    """Ask all claims of all tickets; what they need is run once for all of them.

    A ticket that makes no claim is asked what it is said to imply.
    """
    listed = list(tickets)
    claims = {ticket.id: ticket.claims or implied(ticket) for ticket in listed}
    inquiry.prepare(claim for asked in claims.values() for claim in asked)
    verified = [_verified(one, claims[one.id], inquiry) for one in listed if claims[one.id]]
    inquiry.close()
    return verified


def with_answers(verified: Iterable[Verified], known: Mapping[str, Ticket]) -> dict[str, Ticket]:
    """Return tickets with what their claims answered; one that somebody took away meanwhile stays away."""
    answers = {one.ticket.id: one.answers for one in verified}
    return {
        ticket_id: msgspec.structs.replace(ticket, answers=answers[ticket_id])
        if ticket_id in answers
        else ticket
        for ticket_id, ticket in known.items()
    }


def exit_status(verified: Iterable[Verified]) -> int:
    """Return 0 if all is as expected, 3 if something cannot be told, else 1."""
    all_verified = list(verified)
    if any(one.not_told for one in all_verified):
        return NOT_ALL_ANALYSED
    return FINDINGS if any(one.standing in FAILING for one in all_verified) else CLEAN


def _verified(ticket: Ticket, claims: Iterable[Claim], inquiry: Inquiry) -> Verified:
    if not ticket.claims:
        unvouched = [Asked(claim, claim.answer(inquiry), frozenset(Answer)) for claim in claims]
        return Verified(ticket, unvouched, Standing.UNVOUCHED)
    asked = [
        Asked(claim, claim.answer(inquiry), _expected(claim, ticket.status)) for claim in claims
    ]
    return Verified(ticket, asked, _standing(ticket, asked))


def _expected(claim: Claim, status: Status) -> frozenset[Answer]:
    if claim.states_defect:
        return DEFECT[status]
    return frozenset({claim.expect or Answer.HOLDS})


def _standing(ticket: Ticket, asked: Sequence[Asked]) -> Standing:
    defects = [one for one in asked if one.claim.states_defect]
    present = [one for one in defects if one.reply.answer is Answer.HOLDS]
    surprises = [one.reply.answer for one in asked if not one.is_as_expected]
    if ticket.status in SAID_TO_BE_GONE and present:
        seen_gone = any(_was_seen_gone(ticket, one.claim) for one in present)
        return Standing.REGRESSED if seen_gone else Standing.NEVER_FIXED
    refuted = [one for one in defects if one.reply.answer is Answer.REFUTED]
    if ticket.status in ACTIVE and defects and refuted == defects:
        return Standing.PROPOSED_FOR_CLOSING
    if TOLD & set(surprises):
        return Standing.CONTRADICTED
    return Standing.CANNOT_TELL if surprises else Standing.AS_EXPECTED


def _was_seen_gone(ticket: Ticket, claim: Claim) -> bool:
    """Say whether the tool itself ever saw a defect gone; that somebody wrote so is no sight of it."""
    closed_by_tool = any(c.by == TOOL and c.after == Status.FIXED for c in ticket.history)
    return closed_by_tool or any(a.claim == claim.id and a.seen_gone for a in ticket.answers)


def _answered(asked: Asked, before: Answered | None) -> Answered:
    """Return an answer to keep; `seen_gone` stays once it is so, for a defect that comes back."""
    reply = asked.reply
    heads, *rows = reply.table or ((),)
    table = Table(columns=[str(head) for head in heads], rows=[list(row) for row in rows])
    gone = reply.answer in GONE or (before is not None and before.seen_gone)
    return Answered(
        claim=asked.claim.id,
        answer=reply.answer,
        evidence=reply.evidence,
        places=list(reply.places),
        table=table if rows else None,
        seen_gone=asked.claim.states_defect and gone,
    )
