"""Whether one condition on a name decides another."""

from __future__ import annotations

import ast

import pytest

from esper_audit.source.idioms.branches.conditions import ConditionFacts, assume, known_truth

FLAGS = frozenset({"flag"})
DECIDED = [
    ("x is None", "x is None", True),
    ("x is None", "x is not None", False),
    ("x is None", "x == 'a'", False),
    ("x is None", "isinstance(x, str)", False),
    ("x is None", "x", False),
    ("not x is None", "x is None", False),
    ("x", "x is None", False),
    ("x == 'a'", "x is None", False),
    ("x == 'a'", "x == 'b'", False),
    ("x == 1", "x != 2", True),
    ("isinstance(x, str)", "x is None", False),
    ("isinstance(x, (Base, np.ndarray))", "x is None", False),
    ("not isinstance(x, str | bytes)", "isinstance(x, str)", False),
    ("isinstance(x, str)", "isinstance(x, (str, bytes))", True),
    ("not isinstance(x, (str, bytes))", "isinstance(x, str)", False),
    ("isinstance(x, tuple)", "isinstance(x, torch.Tensor)", False),
    ("flag", "not flag", False),
    ("not flag", "flag", False),
    ("x is not None and y", "x is None", False),
    ("not (x is None or y)", "x is None", False),
]
UNDECIDED = [
    ("x is not None", "x"),
    ("x is not None", "x == 'a'"),
    ("not x", "x"),
    ("not x", "x is None"),
    ("x == 1", "x == 1.0"),
    ("x == 1", "x == True"),
    ("x != 'a'", "x == 'b'"),
    ("isinstance(x, (str, bytes))", "isinstance(x, str)"),
    ("isinstance(x, (list, type(None)))", "x is None"),
    ("isinstance(x, list | None)", "x is None"),
    ("isinstance(x, TYPES)", "x is None"),
    ("isinstance(x, self.kind)", "x is None"),
    ("x is None", "isinstance(x, (list, type(None)))"),
    ("isinstance(x, Base)", "isinstance(x, Other)"),
    ("isinstance(x, int)", "isinstance(x, bool)"),
    ("not isinstance(x, str)", "isinstance(x, (str, bytes))"),
    ("x is None or y", "x is None"),
    ("not (x is None and y)", "x is None"),
    ("y is None", "x is None"),
]


def condition(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def after(text: str) -> ConditionFacts:
    return assume(condition(text), ConditionFacts(), FLAGS, truth=True, reason="before")


@pytest.mark.parametrize(("first", "then"), UNDECIDED)
def test_a_condition_does_not_decide_another(first: str, then: str) -> None:
    assert known_truth(condition(then), after(first), FLAGS) is None


@pytest.mark.parametrize(("first", "then", "truth"), DECIDED)
def test_a_condition_decides_another(first: str, then: str, *, truth: bool) -> None:
    known = known_truth(condition(then), after(first), FLAGS)
    assert known is not None
    assert known.truth is truth


def test_facts_about_a_name_are_dropped_when_it_is_bound_again() -> None:
    facts = after("x is None and y is None").without(frozenset({"x"}))
    assert known_truth(condition("x is None"), facts, FLAGS) is None
    assert known_truth(condition("y is None"), facts, FLAGS) is not None


def test_the_intersection_keeps_the_facts_of_both_branches() -> None:
    facts = after("x is None and y is None").intersection(after("x is None and y is not None"))
    assert known_truth(condition("x is None"), facts, FLAGS) is not None
    assert known_truth(condition("y is None"), facts, FLAGS) is None


@pytest.mark.parametrize(
    ("values", "test", "truth"),
    [
        ({"'a'"}, "x == 'a'", True),
        ({"'a'", "'b'"}, "x == 'c'", False),
        ({"'a'", "'b'"}, "x is None", False),
        ({"None"}, "x is None", True),
        ({"0", "1"}, "x == True", None),
        ({"'a'", "None"}, "x is None", None),
    ],
)
def test_the_possible_constants_of_a_name_decide_a_condition(
    values: set[str], test: str, *, truth: bool | None
) -> None:
    facts = ConditionFacts(values={"x": (frozenset(values), "calls")})
    known = known_truth(condition(test), facts, FLAGS)
    assert (known.truth if known else None) is truth
