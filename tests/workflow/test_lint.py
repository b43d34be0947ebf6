"""Every lint reports the fault that it is named for, and nothing for sound tickets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from esper_audit.findings.finding import Severity
from esper_audit.project.config import find_project
from esper_audit.tickets.parts import (
    AsWritten,
    Change,
    Evidence,
    Extra,
    Opinion,
    Related,
    Relation,
    Resolution,
    Review,
    Step,
    TicketLocation,
)
from esper_audit.tickets.states import ResolutionKind, Status
from esper_audit.tickets.ticket import Ticket
from esper_audit.workflow.lint import LINTS, LintInput, Problem, first_sentence, lint
from esper_audit.workflow.project_texts import ProjectTexts

SOURCE = (
    "def open(self):\n    level = tank.level()  # once\n    if level > 3:\n        self.close()\n"
)
END = Resolution(kind=ResolutionKind.FIXED, evidence="Seen on the bench.", commits=["58ab12cd"])
SOUND = Ticket(
    id="Q7-NET-04",
    title="Tank asked twice",
    status=Status.FIXED,
    severity=Severity.P2,
    created="2025-03-02",
    updated="2025-03-05",
    categories=[],
    locations=[TicketLocation(path="valve.py", symbol="Valve.open", lines="1-4")],
    summary="The valve asks twice.",
    evidence=[
        Evidence(code="level = tank.level()\n...\nif level > 3:", place="/home/ada/valve.py:2-3")
    ],
    verification=[Step(text="count", done=True)],
    related=[Related(id="Q7-NET-05", relation=Relation.BLOCKS)],
    reviews=[Review(reviewer="pump", verdict=Opinion.ENDORSE, date="2025-03-04")],
    resolution=END,
    as_written=[AsWritten(field="status", where="head", words="closed")],
    history=[Change(date="2025-03-06", by="ada", after=Status.FIXED.value, why="done")],
)
OTHER = Ticket(
    id="Q7-NET-05",
    title="Pump asks twice",
    status=Status.OPEN,
    severity=Severity.P3,
    created="2025-03-02",
    categories=[],
    locations=[],
    summary="The pump asks twice.",
    related=[Related(id="Q7-NET-04", relation=Relation.BLOCKED_BY)],
)


def with_(**changes: Any) -> Callable[[], list[Ticket]]:
    return lambda: [msgspec.structs.replace(SOUND, **changes), OTHER]


def other_with(**changes: Any) -> Callable[[], list[Ticket]]:
    return lambda: [SOUND, msgspec.structs.replace(OTHER, **changes)]


def as_duplicates() -> list[Ticket]:
    ended = Resolution(kind=ResolutionKind.NOT_A_BUG, evidence="Cached.")
    link = Relation.DUPLICATE
    return [
        msgspec.structs.replace(SOUND, related=[Related(id="Q7-NET-05", relation=link)]),
        msgspec.structs.replace(
            OTHER,
            status=Status.NOT_A_BUG,
            resolution=ended,
            related=[Related(id="Q7-NET-04", relation=link)],
        ),
    ]


FAULTS: dict[str, list[Callable[[], list[Ticket]]]] = {
    "contradictory-status": [
        with_(as_written=[AsWritten(field="status", where="head", words="open")]),
        with_(as_written=[AsWritten(field="status", where="folder", words="wontfix")]),
        with_(extra=[Extra(section="Ticket Metadata", row="Resolution", text="won't fix")]),
        with_(history=[], resolution=Resolution(kind=ResolutionKind.WONT_FIX, evidence="no")),
    ],
    "contradictory-severity": [
        with_(as_written=[AsWritten(field="severity", where="heading", words="HIGH")]),
        with_(resolution=msgspec.structs.replace(END, evidence="- Revised: P4 (style)")),
    ],
    "dangling-link": [
        with_(related=[*SOUND.related, Related(id="Q7-NET-99", relation=Relation.RELATED)])
    ],
    "duplicate-id": [lambda: [SOUND, OTHER, msgspec.structs.replace(SOUND, id="q7-net-04")]],
    "asymmetric-link": [
        other_with(related=[]),
        other_with(related=[Related(id="Q7-NET-04", relation=Relation.BLOCKS)]),
    ],
    "opposite-duplicates": [as_duplicates],
    "quote-not-found": [
        with_(evidence=[Evidence(code="level = pump.level()", place="valve.py:2")])
    ],
    "unknown-commit": [
        with_(resolution=msgspec.structs.replace(END, commits=["58ab12cd", "dead0000"]))
    ],
    "dates-out-of-order": [
        with_(updated="2025-03-01"),
        with_(reviews=[Review(reviewer="pump", verdict=Opinion.ENDORSE, date="2024-03-04")]),
        with_(resolution=msgspec.structs.replace(END, evidence="**Resolved:** 2025-02-01")),
        with_(
            history=[
                *SOUND.history,
                Change(date="2025-03-05", by="ada", after=Status.OPEN.value, why="back"),
            ]
        ),
    ],
    "review-without-reviewer": [with_(reviews=[Review(reviewer="", verdict=Opinion.OBJECT)])],
    "resolved-without-evidence": [
        with_(resolution=None),
        with_(resolution=Resolution(kind=ResolutionKind.FIXED, evidence=" ")),
    ],
    "quote-moved": [
        with_(evidence=[Evidence(code="level = tank.level()", place="valve.py:40-41")]),
        with_(evidence=[Evidence(code="def open(self):\n    if level > 3:", place="valve.py:1")]),
    ],
    "resolution-of-another-kind": [
        with_(resolution=Resolution(kind=ResolutionKind.NOT_A_BUG, evidence="Cached."))
    ],
    "ticked-box-unresolved": [
        other_with(verification=[Step(text="count", done=True)]),
        other_with(extra=[Extra(section="Verification", heading="Tests Passed", text="- [x] all")]),
    ],
}


@pytest.fixture
def found_in(tmp_path: Path) -> Callable[[list[Ticket]], list[tuple[str, Problem]]]:
    """Return what all lints find in some tickets, in a tree with one file and one commit."""
    (tmp_path / "valve.py").write_text(SOURCE)
    (tmp_path / "esper-audit.toml").write_text("")
    texts = ProjectTexts(find_project([str(tmp_path)]))

    def found(tickets: list[Ticket]) -> list[tuple[str, Problem]]:
        by_id = {ticket.id: ticket for ticket in tickets}
        return lint(LintInput(by_id, texts, lambda commit: commit == "58ab12cd"), list(LINTS))

    return found


Find = Callable[[list[Ticket]], list[tuple[str, Problem]]]


def test_a_sound_corpus_has_no_problem(found_in: Find) -> None:
    assert found_in([SOUND, OTHER]) == []


@pytest.mark.parametrize(
    ("name", "faulty"),
    [
        pytest.param(name, make, id=f"{name}-{n}")
        for name, all_of in FAULTS.items()
        for n, make in enumerate(all_of)
    ],
)
def test_a_lint_finds_the_fault_it_is_named_for(
    name: str, faulty: Callable[[], list[Ticket]], found_in: Find
) -> None:
    assert name in {lint_name for lint_name, _ in found_in(faulty())}


def test_every_lint_has_a_fault_that_it_finds_and_says_what_it_looks_for() -> None:
    assert FAULTS.keys() == LINTS.keys()
    assert all(first_sentence(name).endswith(".") for name in LINTS)


def test_what_a_check_of_ours_found_fixed_needs_no_other_evidence(found_in: Find) -> None:
    by_check = msgspec.structs.replace(SOUND, check="silent-except", resolution=None)
    assert found_in([by_check, OTHER]) == []


def test_a_quote_of_a_file_that_is_not_here_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "esper-audit.toml").write_text("")
    away = msgspec.structs.replace(SOUND, related=[])
    corpus = LintInput({away.id: away}, ProjectTexts(find_project([str(tmp_path)])), bool)
    assert lint(corpus, ["quote-not-found", "quote-moved"]) == []
    assert corpus.absent == {"valve.py"}


def test_the_line_that_is_not_there_is_named(found_in: Find) -> None:
    quoted = Evidence(code="level = tank.level()\nlevel += 1", place="valve.py:2-3")
    found = found_in(with_(evidence=[quoted])())
    text = "valve.py does not contain `level += 1`"
    assert found == [("quote-not-found", Problem(SOUND.id, ("evidence", 0), text))]


def test_a_quote_of_the_description_is_looked_up(found_in: Find) -> None:
    fence = "\n\n```python\nif level > 5:\n    self.close()\n```"
    names = {name for name, _ in found_in(with_(description=f"The valve asks:{fence}")())}
    assert names == {"quote-not-found"}
    for words in ("It should be:", "For example:", "Output of the run:"):
        assert found_in(with_(description=words + fence)()) == [], words
