"""Public bugs of numbers, masks, state and training, each in other words and repaired, against the rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.marked_bugs import MarkedBug, reported

from esper_audit.rules.registry import discover

TEXT = Path(__file__).parent / "known_bug_spellings" / "bugs.txt"
# The programs are parts of modules: what their constructors bind is left out.
RULES = frozenset(rule.id for rule in discover().values()) - {"unknown-attribute"}


def _lines(body: str, sign: str) -> str:
    """Return the lines without a sign or with the given one, the sign replaced by a space."""
    kept = [line for line in body.splitlines() if line[:1] not in ("+", "-") or line[0] == sign]
    return "\n".join(f" {line[1:]}" if line[:1] == sign else line for line in kept)


def _bugs() -> list[MarkedBug]:
    parts = TEXT.read_text().split("\n=== ")[1:]
    named = [part.partition("\n") for part in parts]
    return [MarkedBug(name, _lines(body, "-"), _lines(body, "+")) for name, _, body in named]


BUGS = _bugs()
QUIET = [
    part.partition("\n")[::2]
    for part in TEXT.with_name("quiet.txt").read_text().split("\n=== ")[1:]
]
# The rules that judge how a training loop, its optimizer, its data and its averages work together.
LOOPS = RULES & {
    *("softmax-before-cross-entropy", "accumulation-without-mean", "frozen-optimizer"),
    *("train-mode-not-restored", "test-set-drop-last", "average-keeps-graph", "ema-never-updates"),
    *("sampler-epoch-never-set", "optimizer-before-replacement", "saved-state-not-restored"),
    *("module-attribute-shadows-method", "missing-zero-grad", "loss-keeps-graph", "unscaled-clip"),
    *("clip-after-step", "scheduler-before-optimizer", "evaluation-in-train-mode"),
}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_reported_at_its_line(bug: MarkedBug) -> None:
    assert bug.expected
    assert reported(bug.code, RULES) == bug.expected


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_repaired_file_is_quiet(bug: MarkedBug) -> None:
    assert reported(bug.repaired, RULES) == []


@pytest.mark.parametrize(("name", "code"), QUIET, ids=lambda part: part.partition("\n")[0])
def test_training_that_is_right_is_quiet(name: str, code: str) -> None:
    assert reported(code, LOOPS) == []


def test_each_kind_has_its_spellings() -> None:
    rules = [rule for bug in BUGS for _, rule in bug.expected]
    assert len(rules) == len(BUGS)
    assert len(set(rules)) >= 18
