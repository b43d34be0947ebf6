"""The lines that give the reason why claims could not be verified, tickets with one reason together."""

from __future__ import annotations

import msgspec
import pytest
from support.claim_replies import claim

from esper_audit.claims.reply import Answer, Reply, cannot_tell, holds, not_installed, stale
from esper_audit.findings.finding import Category, Severity
from esper_audit.reports.unverifiable_claims import unverifiable_lines
from esper_audit.tickets.assessment import AnsweredClaim, Assessment, VerifiedTicket
from esper_audit.tickets.states import Status
from esper_audit.tickets.ticket import Ticket

TICKET = Ticket(
    id="T-1",
    title="x is 1",
    status=Status.OPEN,
    severity=Severity.P3,
    created="2026-01-01",
    categories=[Category.CORRECTNESS],
    locations=[],
    summary="x is 1",
)
GONE = stale("there is no file x.py")
PYTEST = not_installed("pytest")
UNPARSED = cannot_tell("broken.py: does not parse")


def verified(name: str, **replies: Reply) -> VerifiedTicket:
    """Return a ticket whose claims, named by the keywords, gave these replies where `holds` was expected."""
    answered = [
        AnsweredClaim(
            claim(claim_id, kind="quote", path="a.py", code="x = 1"),
            reply,
            frozenset({Answer.HOLDS}),
        )
        for claim_id, reply in replies.items()
    ]
    ticket = msgspec.structs.replace(TICKET, id=name)
    return VerifiedTicket(ticket, answered, Assessment.CANNOT_TELL)


@pytest.mark.parametrize(
    ("tickets", "lines"),
    [
        ([verified("T-1", C1=holds("it is so"))], []),
        (
            [verified("T-1", C1=PYTEST, C2=PYTEST)],
            ["T-1 not verifiable: 2 claims need pytest, which is not installed"],
        ),
        (
            [verified("T-1", C1=PYTEST)],
            ["T-1 not verifiable: 1 claim needs pytest, which is not installed"],
        ),
        (
            [verified("T-1", C1=holds("it is so"), C3=GONE)],
            ["T-1 not verifiable: claim C3 is stale: there is no file x.py"],
        ),
        (
            [verified("T-1", C1=GONE, C2=GONE)],
            ["T-1 not verifiable: claims C1 and C2 are stale: there is no file x.py"],
        ),
        (
            [verified("T-1", C1=UNPARSED)],
            ["T-1 not verifiable: claim C1 cannot be checked: broken.py: does not parse"],
        ),
        (
            [verified("T-1", C1=PYTEST, C2=GONE)],
            [
                "T-1 not verifiable: 1 claim needs pytest, which is not installed",
                "T-1 not verifiable: claim C2 is stale: there is no file x.py",
            ],
        ),
    ],
    ids=["none", "a package", "one claim", "stale", "two stale", "unparsed", "two reasons"],
)
def test_the_reasons_of_one_ticket(tickets: list[VerifiedTicket], lines: list[str]) -> None:
    assert list(unverifiable_lines(tickets)) == lines


def test_tickets_with_one_reason_share_a_line_with_their_number() -> None:
    tickets = [verified("T-1", C1=PYTEST, C2=PYTEST), verified("T-2", C1=PYTEST, C7=GONE)]
    assert list(unverifiable_lines(tickets)) == [
        "2 tickets not verifiable: 3 claims need pytest, which is not installed (T-1 and T-2)",
        "T-2 not verifiable: claim C7 is stale: there is no file x.py",
    ]


def test_claims_of_several_tickets_are_counted_and_many_tickets_are_not_all_named() -> None:
    tickets = [verified(f"T-{number}", C1=GONE) for number in range(1, 6)]
    (line,) = unverifiable_lines(tickets)
    assert line == (
        "5 tickets not verifiable: 5 claims are stale: there is no file x.py "
        "(T-1, T-2 and 3 others)"
    )


def test_a_missing_history_is_one_reason_with_an_example() -> None:
    first, second = (
        cannot_tell(f"{commit} is not in this shallow clone", lacking="the history")
        for commit in ("206841ef", "58ab12cd")
    )
    (line,) = unverifiable_lines([verified("T-1", C1=first, C2=second)])
    assert line == (
        "T-1 not verifiable: 2 claims need the history: e.g. 206841ef is not in this shallow clone"
    )
