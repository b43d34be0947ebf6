"""The verification of tickets for the terminal: the answer and the evidence of each claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from esper_audit.claims.reply import Answer, Row
from esper_audit.reports.unverifiable_claims import unverifiable_lines
from esper_audit.text.markdown import count
from esper_audit.text.terminal import StyledText, wrapped
from esper_audit.tickets.assessment import (
    ALARMING,
    MEANING,
    AnsweredClaim,
    Assessment,
    VerifiedTicket,
)

STYLES = {
    Answer.HOLDS: "green",
    Answer.REFUTED: "green",
    Answer.STALE: "yellow",
    Answer.CANNOT_TELL: "magenta",
}
ANSWER_WORDS = {
    Answer.HOLDS: "holds",
    Answer.REFUTED: "refuted",
    Answer.STALE: "stale",
    Answer.CANNOT_TELL: "cannot tell",
}
INDENT = " " * 4
PLACES_SHOWN = 5


def styled_verification(
    verified: Sequence[VerifiedTicket], without_claims: int
) -> Iterator[StyledText]:
    """Yield the verification as styled text.

    `without_claims` is the number of tickets left out.
    """
    for one in verified:
        yield from _ticket(one)
    yield from _summary(verified, without_claims)


def _ticket(verified: VerifiedTicket) -> Iterator[StyledText]:
    ticket, assessment = verified.ticket, verified.assessment
    is_good = assessment in (Assessment.AS_EXPECTED, Assessment.UNVOUCHED)
    yield StyledText(f"{ticket.id} ", "bold")
    yield StyledText(f"{ticket.severity} {ticket.status}: ")
    yield StyledText(f"{assessment}\n", "green" if is_good else "bold red")
    yield StyledText(wrapped(ticket.title, "  "), "dim")
    if verified.proposal:
        proposed = f"severity {verified.proposal.severity} proposed: {verified.proposal.why}"
        yield StyledText(wrapped(proposed, "  "), "yellow")
    elif verified.is_manifest:
        yield StyledText(wrapped("manifest: production calls meet the defect", "  "), "yellow")
    is_implied = assessment is Assessment.UNVOUCHED
    for answered in verified.claims:
        yield from _claim(answered, is_implied=is_implied)
    yield StyledText("\n")


def _claim(answered: AnsweredClaim, *, is_implied: bool) -> Iterator[StyledText]:
    answer = answered.reply.answer
    surprise = "" if answered.is_expected else f", expected {_expected(answered)}"
    defect = ", states the defect" if answered.claim.states_defect else ""
    is_good = answered.is_expected and answer is not Answer.HOLDS and not is_implied
    known = ", as expected" if is_good else ""
    yield StyledText(f"  {answered.claim.id} ", "bold")
    yield StyledText(ANSWER_WORDS[answer], STYLES[answer] if answered.is_expected else "bold red")
    implied = ", implied" if is_implied else ""
    kind = f"{answered.claim.kind}{implied}{defect}{known}{surprise}"
    yield StyledText(f" ({kind})\n", "dim")
    yield StyledText(wrapped(answered.claim.sentence, INDENT))
    yield StyledText(wrapped(answered.reply.evidence, INDENT + "> ", "  "), "cyan")
    for place in answered.reply.places[:PLACES_SHOWN]:
        yield StyledText(f"{INDENT}  {place}\n", "dim")
    left_out = len(answered.reply.places) - PLACES_SHOWN
    if left_out > 0:
        yield StyledText(f"{INDENT}  and {count(left_out, 'other place')}\n", "dim")
    yield from _table(answered.reply.table)


def _counted(answer: Answer, number: int) -> str:
    """Return an answer in the singular or the plural."""
    return "hold" if answer is Answer.HOLDS and number > 1 else ANSWER_WORDS[answer]


def _expected(answered: AnsweredClaim) -> str:
    return " or ".join(ANSWER_WORDS[answer] for answer in Answer if answer in answered.expected)


def _table(rows: Sequence[Row]) -> Iterator[StyledText]:
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (str(cell).rjust(width) for cell, width in zip(row, widths, strict=True))
        yield StyledText(f"{INDENT}  {'  '.join(cells)}\n")


def _summary(verified: Sequence[VerifiedTicket], without_claims: int) -> Iterator[StyledText]:
    answers = Counter(answered.reply.answer for one in verified for answered in one.claims)
    counted = ", ".join(f"{answers[a]} {_counted(a, answers[a])}" for a in Answer if answers[a])
    yield StyledText(f"{count(len(verified), 'ticket')}, {count(answers.total(), 'claim')}", "bold")
    yield StyledText(f": {counted}" if counted else "")
    yield StyledText(f"; {without_claims} without claims\n" if without_claims else "\n")
    assessments = Counter(one.assessment for one in verified)
    for assessment in Assessment:
        number = assessments[assessment]
        if number and assessment is not Assessment.CANNOT_TELL:
            style = "bold red" if assessment in ALARMING else ""
            text = f"{number} {assessment}: {MEANING[assessment]}"
            yield StyledText(wrapped(text, "  ", "  "), style)
    for line in unverifiable_lines(verified):
        yield StyledText(wrapped(line, "  ", "  "), "magenta")
