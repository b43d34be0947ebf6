"""VerifiedTicket tickets for people: a line a claim with its answer, the evidence below it, within 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from esper_audit.claims.reply import Answer, Row
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
    Answer.REFUTED: "red",
    Answer.STALE: "yellow",
    Answer.CANNOT_TELL: "magenta",
}
SAID = {
    Answer.HOLDS: "holds",
    Answer.REFUTED: "refuted",
    Answer.STALE: "stale",
    Answer.CANNOT_TELL: "cannot tell",
}
INDENT = " " * 4
PLACES_SHOWN = 5


def pieces(verified: Sequence[VerifiedTicket], without_claims: int) -> Iterator[StyledText]:
    """Yield the report, styled for a terminal."""
    for one in verified:
        yield from _ticket(one)
    yield from _summary(verified, without_claims)


def _ticket(verified: VerifiedTicket) -> Iterator[StyledText]:
    ticket, standing = verified.ticket, verified.assessment
    is_calm = standing in (Assessment.AS_EXPECTED, Assessment.UNVOUCHED)
    yield StyledText(f"{ticket.id} ", "bold")
    yield StyledText(f"{ticket.severity} {ticket.status}: ")
    yield StyledText(f"{standing}\n", "green" if is_calm else "bold red")
    yield StyledText(wrapped(ticket.title, "  "), "dim")
    if verified.proposal:
        proposed = f"severity {verified.proposal.severity} proposed: {verified.proposal.why}"
        yield StyledText(wrapped(proposed, "  "), "yellow")
    elif verified.is_manifest:
        yield StyledText(wrapped("manifest: production calls meet it", "  "), "yellow")
    for asked in verified.claims:
        yield from _claim(asked)
    yield StyledText("\n")


def _claim(asked: AnsweredClaim) -> Iterator[StyledText]:
    answer = asked.reply.answer
    surprise = "" if asked.is_expected else f", expected {_expected(asked)}"
    defect = ", states the defect" if asked.claim.states_defect else ""
    known = ", as the ticket knows" if asked.claim.expect and asked.is_expected else ""
    yield StyledText(f"  {asked.claim.id} ", "bold")
    yield StyledText(SAID[answer], STYLES[answer] if asked.is_expected else "bold red")
    yield StyledText(f" ({asked.claim.kind}{defect}{known}{surprise})\n", "dim")
    yield StyledText(wrapped(asked.claim.sentence, INDENT))
    yield StyledText(wrapped(asked.reply.evidence, INDENT + "> ", "  "), "cyan")
    for place in asked.reply.places[:PLACES_SHOWN]:
        yield StyledText(f"{INDENT}  {place}\n", "dim")
    left_out = len(asked.reply.places) - PLACES_SHOWN
    if left_out > 0:
        yield StyledText(f"{INDENT}  and {count(left_out, 'other place')}\n", "dim")
    yield from _table(asked.reply.table)


def _number_of(answer: Answer, number: int) -> str:
    return "hold" if answer is Answer.HOLDS and number > 1 else SAID[answer]


def _expected(asked: AnsweredClaim) -> str:
    return " or ".join(SAID[answer] for answer in Answer if answer in asked.expected)


def _table(rows: Sequence[Row]) -> Iterator[StyledText]:
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (str(cell).rjust(width) for cell, width in zip(row, widths, strict=True))
        yield StyledText(f"{INDENT}  {'  '.join(cells)}\n")


def _summary(verified: Sequence[VerifiedTicket], without_claims: int) -> Iterator[StyledText]:
    answers = Counter(asked.reply.answer for one in verified for asked in one.claims)
    counted = ", ".join(f"{answers[a]} {_number_of(a, answers[a])}" for a in Answer if answers[a])
    yield StyledText(f"{count(len(verified), 'ticket')}, {count(answers.total(), 'claim')}", "bold")
    yield StyledText(f": {counted}" if counted else "")
    yield StyledText(f"; {without_claims} without claims\n" if without_claims else "\n")
    standings = Counter(one.assessment for one in verified)
    for standing, number in sorted(
        standings.items(), key=lambda pair: list(Assessment).index(pair[0])
    ):
        style = "bold red" if standing in ALARMING else ""
        yield StyledText(wrapped(f"{number} {standing}: {MEANING[standing]}", "  ", "  "), style)
