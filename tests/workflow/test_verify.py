"""The assessment of a ticket from its claims: as expected, to be closed, regressed, never fixed, cannot tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.audit_runs import TODAY, write
from support.claim_replies import claim

from esper_audit.claims.claim import Claim
from esper_audit.findings.finding import Category, Severity
from esper_audit.project.config import find_project
from esper_audit.tickets.assessment import Assessment, VerifiedTicket
from esper_audit.tickets.parts import Change
from esper_audit.tickets.states import ACTIVE, RESOLVED, Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.claim_context import ProjectClaimContext
from esper_audit.workflow.verify import exit_status, verify

FILES = {"esper-audit.toml": "", "a.py": "x = 1\n", "broken.py": "def (\n"}
SAID = {
    "holds": {"kind": "quote", "path": "a.py", "code": "x = 1"},
    "refuted": {"kind": "quote", "path": "a.py", "code": "y = 1"},
    "stale": {"kind": "quote", "path": "gone.py", "code": "y = 1"},
    "cannot-tell": {"kind": "quote", "path": "broken.py", "code": "y = 1"},
}


def defect(answer: str, name: str = "D1") -> Claim:
    """Return a claim that states the defect and will answer so."""
    return claim(name, states_defect=True, **SAID[answer])


def support(answer: str, expect: str | None = None) -> Claim:
    """Return a claim that is evidence and will answer so."""
    return claim("S1", expect=expect, **SAID[answer])


def ticket(status: Status, *claims: Claim, **fields: Any) -> Ticket:
    return Ticket(
        id="T-1",
        title="x is 1",
        status=status,
        severity=Severity.P3,
        created="2026-01-01",
        categories=[Category.CORRECTNESS],
        locations=[],
        summary="x is 1",
        claims=list(claims),
        **fields,
    )


def verified(root: Path, *tickets: Ticket) -> list[VerifiedTicket]:
    write(root, FILES)
    return verify(tickets, ProjectClaimContext(find_project([str(root)]), today=TODAY))


def standing(root: Path, *args: Any, **fields: Any) -> Assessment:
    (one,) = verified(root, ticket(*args, **fields))
    return one.assessment


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        *((status, "holds") for status in sorted(ACTIVE)),
        ("fixed", "refuted"), ("fixed", "stale"), ("not-a-bug", "refuted"), ("not-a-bug", "stale"),
        ("wont-fix", "holds"), ("duplicate", "holds"), ("duplicate", "refuted"), ("duplicate", "cannot-tell"),
    ],
)  # fmt: skip
def test_a_defect_that_is_where_its_ticket_says_surprises_nobody(tmp_path, status, answer) -> None:
    (one,) = result = verified(tmp_path, ticket(Status(status), defect(answer)))
    assert (one.assessment, exit_status(result)) == (Assessment.AS_EXPECTED, 0)


def test_a_ticket_without_claims_is_not_judged(tmp_path) -> None:
    assert verified(tmp_path, ticket(Status.OPEN)) == []


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_an_active_ticket_of_which_every_defect_claim_is_refuted_may_be_closed(
    tmp_path, status
) -> None:
    claims = (defect("refuted"), defect("refuted", "D2"), support("holds"))
    (one,) = result = verified(tmp_path, ticket(status, *claims))
    assert (one.assessment, exit_status(result)) == (Assessment.PROPOSED_FOR_CLOSING, 1)


def test_one_defect_claim_that_is_stale_or_holds_keeps_it_open(tmp_path) -> None:
    stale = (defect("refuted"), defect("stale", "D2"))
    assert standing(tmp_path, Status.OPEN, *stale) is Assessment.CONTRADICTED
    there = (defect("refuted"), defect("holds", "D2"))
    assert standing(tmp_path, Status.OPEN, *there) is Assessment.CONTRADICTED


@pytest.mark.parametrize("status", [Status.FIXED, Status.NOT_A_BUG])
def test_a_closed_ticket_whose_defect_is_there_was_never_fixed(tmp_path, status) -> None:
    by_hand = [Change(date="2026-01-01", by="Ada", before="open", after=status, why="I fixed it")]
    (one,) = result = verified(tmp_path, ticket(status, defect("holds"), history=by_hand))
    assert (one.assessment, exit_status(result)) == (Assessment.NEVER_FIXED, 1)


def test_a_defect_that_the_tool_saw_gone_has_regressed(tmp_path) -> None:
    seen = [Change(date="2026-01-01", by="esper-audit", before="open", after="fixed", why="gone")]
    assert standing(tmp_path, Status.FIXED, defect("holds"), history=seen) is Assessment.REGRESSED


def test_a_defect_that_a_claim_saw_gone_has_regressed_and_stays_so(tmp_path) -> None:
    (gone,) = verified(tmp_path, ticket(Status.FIXED, defect("refuted")))
    (back,) = verified(tmp_path, ticket(Status.FIXED, defect("holds"), answers=gone.answers))
    (again,) = verified(tmp_path, ticket(Status.FIXED, defect("holds"), answers=back.answers))
    assert [back.assessment, again.assessment] == [Assessment.REGRESSED] * 2


@pytest.mark.parametrize("status", sorted({*ACTIVE, *RESOLVED}))
def test_evidence_that_is_not_so_contradicts_any_ticket(tmp_path, status) -> None:
    (one,) = result = verified(tmp_path, ticket(status, support("refuted")))
    assert (one.assessment, exit_status(result)) == (Assessment.CONTRADICTED, 1)


def test_a_sentence_known_to_be_false_is_expected_to_be(tmp_path) -> None:
    known = support("refuted", expect="refuted")
    assert standing(tmp_path, Status.FIXED, known) is Assessment.AS_EXPECTED
    turned = support("holds", expect="refuted")
    assert standing(tmp_path, Status.FIXED, turned) is Assessment.CONTRADICTED


def test_a_wont_fix_whose_defect_went_away_is_contradicted_and_keeps_nothing_quiet(
    tmp_path,
) -> None:
    (one,) = verified(tmp_path, ticket(Status.WONT_FIX, defect("refuted")))
    assert one.assessment is Assessment.CONTRADICTED
    assert one.is_unsupported
    (sound,) = verified(tmp_path, ticket(Status.WONT_FIX, defect("holds"), support("holds")))
    assert not sound.is_unsupported


@pytest.mark.parametrize("answer", ["stale", "cannot-tell"])
@pytest.mark.parametrize("make", [defect, support])
def test_what_is_not_told_is_never_taken_for_good(tmp_path, make, answer) -> None:
    (one,) = result = verified(tmp_path, ticket(Status.OPEN, make(answer)))
    assert (one.assessment, exit_status(result)) == (Assessment.CANNOT_TELL, 3)


def test_not_told_weighs_more_than_told_in_the_exit_status(tmp_path) -> None:
    regressed, untold = ticket(Status.FIXED, defect("holds")), ticket(Status.OPEN, support("stale"))
    assert exit_status(verified(tmp_path, regressed, untold)) == 3


def test_what_cannot_be_told_today_is_kept_as_it_was_last_told(tmp_path) -> None:
    (verified_before,) = verified(tmp_path, ticket(Status.OPEN, support("holds")))
    before = verified_before.answers
    (now,) = verified(tmp_path, ticket(Status.OPEN, support("cannot-tell"), answers=before))
    assert now.answers == before
    (first,) = verified(tmp_path, ticket(Status.OPEN, support("cannot-tell")))
    assert first.answers[0].answer == "cannot-tell"


def test_two_claims_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="duplicate id D1"):
        ticket(Status.OPEN, defect("holds"), defect("refuted"))


def test_claims_travel_through_yaml_and_back_with_the_keys_that_say_something() -> None:
    written = msgspec.to_builtins(support("holds"))
    assert written == {"id": "S1", "sentence": "It is so.", **SAID["holds"]}
