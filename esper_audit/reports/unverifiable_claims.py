"""The reasons why claims of tickets could not be verified, one line for each reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from esper_audit.claims.reply import Answer
from esper_audit.text.markdown import count, listed
from esper_audit.tickets.assessment import AnsweredClaim, VerifiedTicket

MOST_TICKETS_NAMED = 3


class _Unverified(msgspec.Struct, frozen=True):
    """The claims that could not be verified for one reason, with the ids of their tickets."""

    tickets: list[str] = []
    claims: list[AnsweredClaim] = []

    def line(self) -> str:
        """Return the tickets and the reason."""
        tickets = list(dict.fromkeys(self.tickets))
        if len(tickets) == 1:
            return f"{tickets[0]} not verifiable: {self._reason(by_id=True)}"
        number = count(len(tickets), "ticket")
        return f"{number} not verifiable: {self._reason(by_id=False)} ({_shortened(tickets)})"

    def _reason(self, *, by_id: bool) -> str:
        number, reply = len(self.claims), self.claims[0].reply
        counted = count(number, "claim")
        if reply.lacking:
            return f"{counted} {'needs' if number == 1 else 'need'} {self._lacking()}"
        if by_id:
            noun = "claim" if number == 1 else "claims"
            counted = f"{noun} {listed([answered.claim.id for answered in self.claims])}"
        stale = "is stale" if number == 1 else "are stale"
        state = stale if reply.answer is Answer.STALE else "cannot be checked"
        return f"{counted} {state}: {reply.evidence}"

    def _lacking(self) -> str:
        """Return what is missing on this machine: a package, or a part of the history."""
        reply = self.claims[0].reply
        evidences = {answered.reply.evidence for answered in self.claims}
        if reply.evidence == f"{reply.lacking} is not installed":
            return f"{reply.lacking}, which is not installed"
        example = "e.g. " if len(evidences) > 1 else ""
        return f"{reply.lacking}: {example}{reply.evidence}"


def unverifiable_lines(verified: Iterable[VerifiedTicket]) -> Iterator[str]:
    """Yield `TICKET not verifiable: REASON` for each reason.

    Tickets with the same reason share a line.

    A reason is something that this machine lacks (a package, a part of the history), or the evidence of
    a claim that is stale or that could not be checked.
    """
    reasons: dict[tuple[Answer, str], _Unverified] = {}
    for one in verified:
        for answered in one.undecided:
            reply = answered.reply
            key = (reply.answer, reply.lacking or reply.evidence)
            reason = reasons.setdefault(key, _Unverified())
            reason.tickets.append(one.ticket.id)
            reason.claims.append(answered)
    yield from (reason.line() for reason in reasons.values())


def _shortened(tickets: Sequence[str]) -> str:
    """Return the first ticket ids and the number of the others."""
    if len(tickets) <= MOST_TICKETS_NAMED:
        return listed(list(tickets))
    shown = tickets[: MOST_TICKETS_NAMED - 1]
    return f"{', '.join(shown)} and {len(tickets) - len(shown)} others"
