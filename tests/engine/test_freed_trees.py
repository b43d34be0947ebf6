"""The syntax tree of a file is freed by its reference count: the collector is off during a check."""

from __future__ import annotations

import ast
import gc
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from esper_audit.engine.file_checker import check_source
from esper_audit.engine.triggers import TriggerTable
from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.registry import discover
from esper_audit.rules.rule import FileRule, Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.source import Source, parse


@pytest.fixture(scope="module")
def _frozen() -> Iterator[None]:
    """Keep everything that was there before out of the collections, which are quick then."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def _collector_off(_frozen: None) -> Iterator[None]:
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def kept_trees(rule: type[FileRule], cases: list[Valid | Invalid]) -> Counter[str]:
    """Check the code of cases with a rule, and count what is left in reference cycles."""
    for case in cases:
        source = parse("case.py", case.code.encode())
        assert isinstance(source, Source), source
        options = msgspec.convert(case.options, rule.Options)
        check_source(source, TriggerTable.of([rule(options)]))
        del source
    gc.collect()
    return Counter(type(one).__name__ for one in gc.garbage if isinstance(one, ast.AST))


@pytest.mark.usefixtures("_collector_off")
@pytest.mark.parametrize("rule", discover().values(), ids=discover().keys())
def test_a_rule_keeps_no_tree_in_a_reference_cycle(rule: type[FileRule]) -> None:
    kept = kept_trees(rule, [*rule.VALID, *rule.INVALID])
    assert not kept, f"break the cycle: it keeps the tree of every file ({kept})"


class Holder:
    """A fact that holds the view that holds it."""

    def __init__(self, file: FileView) -> None:
        self.file = file


class Holding(Rule):
    id = "holding"
    contract = "no-hasattr"
    category = Category.API_CONTRACT
    severity = Severity.P4
    triggers = Triggers(calls=frozenset({"f"}))
    makes_cycle = False

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        yield Violation(node, str(file.once(Holder).file is file))
        if self.makes_cycle:
            node.itself = node  # type: ignore[attr-defined]  # the point of the test


@pytest.mark.usefixtures("_collector_off")
def test_a_fact_that_holds_its_view_keeps_no_tree() -> None:
    assert not kept_trees(Holding, [Valid("a call", "f()\n")])


@pytest.mark.usefixtures("_collector_off")
def test_a_cycle_of_nodes_is_reported() -> None:
    cyclic = type("Cyclic", (Holding,), {"makes_cycle": True, "id": "cyclic"})
    assert kept_trees(cyclic, [Valid("a call", "f()\n")])["Call"] == 1
