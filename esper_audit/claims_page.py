"""What `audit.md` says of the tickets' claims: which hold, what that says of each ticket, what was not told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from esper_audit.claim import Answer
from esper_audit.markdown import cell, code
from esper_audit.verification import MEANING, Standing, Verified


def claims_page(verified: Sequence[Verified]) -> dict[str, object]:
    """Return the rows of the table of claims, the meaning of what stands in it, and what was not told."""
    standings = {one.standing for one in verified}
    return {
        "verified": [_row(one) for one in verified],
        "standings": [
            {"standing": standing, "meaning": MEANING[standing]}
            for standing in Standing
            if standing in standings
        ],
        "not_told": [
            cell(f"claim {asked.claim.id} of {one.ticket.id}: {asked.reply.evidence}")
            for one in verified
            for asked in one.asked
            if asked.reply.answer is Answer.CANNOT_TELL
        ],
    }


def _row(verified: Verified) -> dict[str, str]:
    ticket, standing = verified.ticket, verified.standing
    answers = Counter(asked.reply.answer for asked in verified.asked)
    surprises = [code(asked.claim.id) for asked in verified.asked if not asked.is_as_expected]
    return {
        "ticket": f"[{ticket.id}](tickets/{ticket.id}.md)",
        "status": ticket.status,
        "answers": ", ".join(f"{answers[answer]} {answer}" for answer in Answer if answers[answer]),
        "severity": _severity(verified),
        "standing": standing if standing is Standing.AS_EXPECTED else f"**{standing}**",
        "surprises": ", ".join(surprises),
    }


def _severity(verified: Verified) -> str:
    proposal = verified.proposal
    if proposal:
        return f"{verified.ticket.severity}, {proposal.severity} proposed ({proposal.why})"
    return verified.ticket.severity + (", manifest" if verified.is_manifest else "")
