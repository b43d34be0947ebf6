"""The claims `callers`, `readers` and `references`: counted in the index, undecided where uncertain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import ValidationError
from support.claim_replies import claim, replies, reply

from esper_audit.claims.counts import PossibleCount
from esper_audit.claims.reply import Reply

FILES = {
    "pkg/__init__.py": "from .blend import multiply\n",
    "pkg/blend.py": """
def multiply(host, seed, alpha, seed_input=None):
    return host * (seed - seed_input)


def add(host, seed):
    return host + seed


def forgotten(host):
    return forgotten(host)


def forwarded(host, seed_input=None):
    return host


def handed_on(host):
    return host


class Spec:
    param_estimate: int = 2000
    drift: float = 0.0

    def cost(self):
        return self.param_estimate

    def sized(self):
        self.width = 3
        return self.width
""",
    "pkg/slot.py": """
from . import blend
from .blend import multiply as valve


def forward(h, s, u, *rest, **more):
    valve(h, s, 1.0, seed_input=u)
    blend.multiply(h, s, 1.0, u)
    blend.forwarded(h)
    blend.forwarded(h, **more)
    return blend.add(h, s)


def apply(things, h):
    return [thing.handed_on(h) for thing in things]
""",
    "pkg/train/loop.py": 'def sort(specs):\n    return sorted(specs, key=lambda s: getattr(s, "drift"))\n',
    "tests/test_blend.py": """
import pytest
from pkg import multiply
from pkg.slot import forward


def test_it_refuses():
    with pytest.raises(TypeError):
        multiply(1, 2, 3)


def test_forward():
    assert forward(1, 2, 3)


def test_by_name(thing):
    assert thing.handed_on(1)
""",
}
MULTIPLY = "pkg.blend.multiply"


def callers(of: str = MULTIPLY, argument: str = "seed_input", **count: Any) -> dict[str, Any]:
    return {"kind": "callers", "of": of, "argument": argument, **count}


def readers(of: str, **query: Any) -> dict[str, Any]:
    return {"kind": "readers", "of": of, **query}


def references(of: str, usage: str, **query: Any) -> dict[str, Any]:
    return {"kind": "references", "of": of, "is": usage, **query}


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "every caller passes it": (
        "holds",
        "2 production calls (1 in test files not counted): 2 pass seed_input, 0 omit it",
        callers(omitting=0),
    ),
    "so many pass it": ("holds", "", callers(passing=2)),
    "some do": ("holds", "", callers(passing="at least 1")),
    "no more than two do": ("holds", "", callers(passing="at most 2")),
    "named through the package": ("holds", "2 pass", callers("pkg.multiply", omitting=0)),
    "a test omits it": ("holds", "1 omit it", callers(omitting=1, among="test")),
    "so many calls": ("holds", "2 production calls", callers(argument="", calls=2)),
    "nobody makes one": ("holds", "", callers("pkg.blend.Spec", argument="", calls=0)),
    "one omits it": ("refuted", "not 1", callers(omitting=1)),
    "three pass it": ("refuted", "not at least 3", callers(passing="at least 3")),
    "it is called": (
        "refuted",
        "1 production call",
        callers("pkg.blend.add", argument="", calls=0),
    ),
    "no such function": ("stale", "defines no divide", callers("pkg.blend.divide", omitting=0)),
    "no such argument": ("stale", "takes no bias any more", callers(argument="bias", omitting=0)),
    "one forwards what it got": (
        "cannot-tell",
        "0 pass seed_input, 1 omit it, 1 may forward it; 1 more may count",
        callers("pkg.blend.forwarded", omitting=1),
    ),
    "one omits it, whatever the other does": (
        "holds",
        "",
        callers("pkg.blend.forwarded", omitting="at least 1"),
    ),
    "a call by name alone": (
        "cannot-tell",
        "1 more may count",
        callers("pkg.blend.handed_on", argument="", calls=0),
    ),
    "not read in training": (
        "holds",
        "0 production reads of param_estimate under pkg.train",
        readers("param_estimate", under="pkg.train"),
    ),
    "read here": ("holds", "1 production read", readers("param_estimate", count=1)),
    "read outside of training": (
        "holds",
        "",
        readers("param_estimate", outside="pkg/train", count="at least 1"),
    ),
    "never read": (
        "refuted",
        "1 production read of param_estimate, not 0",
        readers("param_estimate"),
    ),
    "no such name": (
        "stale",
        "nothing in the tree is called parameter_estimate",
        readers("parameter_estimate"),
    ),
    "no such package": (
        "stale",
        "nothing at pkg.simic",
        readers("param_estimate", under="pkg.simic"),
    ),
    "spelled in a string": ("cannot-tell", "1 more may count", readers("drift", under="pkg/train")),
    "used": ("holds", "2 production uses", references(MULTIPLY, "used")),
    "unused but by itself": (
        "holds",
        "0 production uses",
        references("pkg.blend.forgotten", "unused"),
    ),
    "tested": (
        "holds",
        "2 tests of pkg.blend.multiply, 1 of them by name",
        references(MULTIPLY, "tested"),
    ),
    "tested through another": (
        "holds",
        "1 test of pkg.blend.add, 0 of them by name",
        references("pkg.blend.add", "tested"),
    ),
    "untested by name": ("holds", "", references("pkg.blend.add", "untested", directly=True)),
    "untested": ("holds", "0 tests", references("pkg.blend.forgotten", "untested")),
    "tested there": ("holds", "", references(MULTIPLY, "tested", by="tests/test_blend.py")),
    "an attribute that a method sets": ("holds", "", references("pkg.blend.Spec.width", "used")),
    "not unused": ("refuted", "2 production uses", references(MULTIPLY, "unused")),
    "not used": ("refuted", "0 production uses", references("pkg.blend.forgotten", "used")),
    "not untested": ("refuted", "2 tests", references(MULTIPLY, "untested")),
    "not tested there": (
        "refuted",
        "0 tests",
        references(MULTIPLY, "tested", by="tests/test_slot.py"),
    ),
    "no such symbol": ("stale", "defines no Blueprint", references("pkg.blend.Blueprint", "used")),
    "used by name alone": (
        "cannot-tell",
        "0 production uses of pkg.blend.handed_on, 1 more by name only; 1 more may count",
        references("pkg.blend.handed_on", "unused"),
    ),
    "a use by name alone is no use": (
        "cannot-tell",
        "0 production uses of pkg.blend.handed_on, 1 more by name only",
        references("pkg.blend.handed_on", "used"),
    ),
    "a test by name alone is no test": (
        "cannot-tell",
        "0 tests of pkg.blend.handed_on, 0 of them by name, 1 more by name only",
        references("pkg.blend.handed_on", "tested"),
    ),
    "a call by name alone is no call": (
        "holds",
        "0 production calls, 1 more by name only: 0 pass host, 0 omit it",
        callers("pkg.blend.handed_on", argument="host", omitting=0),
    ),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Reply]:
    root = tmp_path_factory.mktemp("tree")
    return replies(root, FILES, {label: query for label, (_, _, query) in CASES.items()})


@pytest.mark.parametrize("label", CASES)
def test_a_claim_is_answered_with_its_evidence(results, label: str) -> None:
    answer, words, _ = CASES[label]
    assert (results[label].answer, words in results[label].evidence) == (answer, True), results[
        label
    ]


def test_the_places_are_those_that_the_claim_is_about(results) -> None:
    assert results["every caller passes it"].places == ("pkg/slot.py:7", "pkg/slot.py:8")
    assert results["a test omits it"].places == ("tests/test_blend.py:9",)
    assert results["never read"].places == ("pkg/blend.py:27",)


@pytest.mark.parametrize(
    "query",
    [
        callers(omitting=0), readers("param_estimate", under="pkg/train"),
        references("pkg.blend.forgotten", "unused"), references("pkg.blend.forgotten", "untested"),
    ],
    ids=["callers", "readers", "unused", "untested"],
)  # fmt: skip
def test_a_count_of_zero_needs_every_file_that_may_have_a_match_to_parse(
    tmp_path: Path, query
) -> None:
    words = "multiply(param_estimate, forgotten)"
    folder = "tests/test_" if query.get("is") == "untested" else "pkg/train/"
    broken = {f"{folder}broken.py": f"def ({words}\n"}
    result = reply(tmp_path, {**FILES, **broken}, **query)
    assert (result.answer, "not looked at" in result.evidence) == ("cannot-tell", True), result


def test_a_file_outside_the_scope_need_not_parse(tmp_path: Path) -> None:
    files = {**FILES, "pkg/broken.py": "def (param_estimate\n"}
    query = readers("param_estimate", under="pkg/train")
    assert reply(tmp_path, files, **query).answer == "holds"


def test_what_is_certain_already_needs_no_further_file(tmp_path: Path) -> None:
    files = {**FILES, "pkg/broken.py": "def (multiply\n"}
    assert reply(tmp_path, files, **callers(passing="at least 1")).answer == "holds"
    assert reply(tmp_path, files, **callers(argument="", calls=0)).answer == "refuted"


@pytest.mark.parametrize(
    ("tally", "count", "met"),
    [
        (PossibleCount(2), 2, True),
        (PossibleCount(2), 1, False),
        (PossibleCount(2), 3, False),
        (PossibleCount(2, 1), 3, None),
        (PossibleCount(2, 1), 2, None),
        (PossibleCount(2, 1), 4, False),
        (PossibleCount(2, 1), 1, False),
        (PossibleCount(2, 1), "at least 2", True),
        (PossibleCount(2, 1), "at least 3", None),
        (PossibleCount(2, 1), "at least 4", False),
        (PossibleCount(2, 1), "at most 3", True),
        (PossibleCount(2, 1), "at most 2", None),
        (PossibleCount(2, 1), "at most 1", False),
        (PossibleCount(0, 0, ("a.py",)), 0, None),
        (PossibleCount(1, 0, ("a.py",)), 0, False),
        (PossibleCount(1, 0, ("a.py",)), "at least 1", True),
        (PossibleCount(0, 0, ("a.py",)), "at most 9", None),
        (PossibleCount(0, 0, ("a.py",)), "at least 1", None),
    ],
)
def test_a_count_is_met_only_whatever_the_uncertain_matches_are(tally, count, met) -> None:
    assert tally.meets(count) is met


@pytest.mark.parametrize(
    ("query", "objection"),
    [
        (callers(), "one of `omitting`, `passing` and `calls`"),
        (callers(omitting=0, passing=1), "one of `omitting`, `passing` and `calls`"),
        (callers(argument="", omitting=0), "need an `argument`"),
        (callers(calls=1), "`calls` takes none"),
        (callers(omitting=-1), "omitting"),
        (callers(omitting="some"), "omitting"),
        (readers("a b"), "of"),
        (readers("x", among="prod"), "prod"),
        (references(MULTIPLY, "loved"), "loved"),
        (references(MULTIPLY, "used", by="tests"), "`by` and `directly` are about tests"),
    ],
)
def test_an_invalid_query_is_refused(query, objection: str) -> None:
    with pytest.raises(ValidationError, match=objection):
        claim(**query)
