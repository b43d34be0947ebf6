"""Whether an operand of a condition can be decided by what a function shows before it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from esper_audit.source.idioms.branches.conditions import subject_of
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import Function, dotted
from esper_audit.source.syntax.placed_nodes import start_of_node

SETTING = (ast.Constant, ast.List, ast.Dict, ast.Tuple, ast.Set, ast.Call)
TESTED = frozenset({ast.BoolOp, ast.Call})
TYPED = frozenset({"none", "isinstance"})


def is_possibly_decided(
    function: Function, branches: Sequence[ast.AST], known: Collection[str]
) -> bool:
    """Return whether a name in an `and`, an `or` or an `isinstance` is also tested or set elsewhere.

    `branches` are the conditional statements and expressions of the function, `known` are names of
    which something is known at its start.
    """
    asked: set[str] = set()
    tested: Counter[str] = Counter()
    for test in _tests(branches):
        names = set(_names_tested(test))
        tested.update(names)
        parts = scan(test, TESTED)
        operations = [part for part in parts if isinstance(part, ast.BoolOp)]
        if len(operations) > 1:
            return True
        if operations or any(isinstance(p, ast.Call) and _is_type_test(p) for p in parts):
            asked |= names
    if not asked:
        return False
    for loop in scan(function, {ast.While}):
        assert isinstance(loop, ast.While)
        tested.update(set(_names_tested(loop.test)))
    if any(tested[name] > 1 for name in asked):
        return True
    return not asked.isdisjoint({*known, *_names_set(function)})


class TestedNames:
    """The names that the conditions of a function test, with the kinds of their tests.

    `branches` are the conditional statements and expressions, `loops` those with a condition.
    """

    def __init__(self, branches: Sequence[ast.AST], loops: Sequence[ast.While]) -> None:
        self._kinds: set[tuple[str, str]] = set()
        self._repeated: list[tuple[str, str, frozenset[str]]] = []
        conditional = [b for b in branches if isinstance(b, (ast.If, ast.IfExp))]
        earlier: dict[str, set[str]] = {}
        for branch in sorted([*conditional, *loops], key=start_of_node):
            found = list(_subjects(branch.test))
            self._kinds.update((name, kind) for name, kind, _ in found)
            if not isinstance(branch, ast.While):
                self._repeated += [
                    (name, kind, frozenset(earlier[name]))
                    for name, kind, is_operand in found
                    if is_operand and name in earlier
                ]
            if not isinstance(branch, ast.IfExp):
                for name, kind, _ in found:
                    earlier.setdefault(name, set()).add(kind)

    def has_none_test(self, names: Collection[str]) -> bool:
        """Return whether one of some names is compared with None."""
        return any((name, "none") in self._kinds for name in names)

    def has_repeated_operand(self, flags: Collection[str]) -> bool:
        """Return whether an operand of `and` or `or` tests a name that an earlier test decides.

        What a name is true for decides a later test of its truth only for `flags`, the names of bools: a
        list may be filled in between.
        """
        return any(
            kind != "truth" or "none" in earlier or name in flags
            for name, kind, earlier in self._repeated
        )

    def is_typed(self, name: str) -> bool:
        """Return whether a name is compared with None or a type."""
        return any((name, kind) in self._kinds for kind in TYPED)


def _subjects(test: ast.expr) -> Iterator[tuple[str, str, bool]]:
    """Yield the names that a condition tests, with the kind of the test, and whether it is an operand."""
    pending = [(test, False)]
    while pending:
        part, is_operand = pending.pop()
        if isinstance(part, ast.BoolOp):
            pending += [(value, True) for value in part.values]
        elif isinstance(part, ast.UnaryOp):
            pending.append((part.operand, is_operand))
        elif (found := subject_of(part)) is not None:
            yield (*found, is_operand)


def _tests(branches: Sequence[ast.AST]) -> Iterator[ast.expr]:
    return (branch.test for branch in branches if isinstance(branch, (ast.If, ast.IfExp)))


def _names_tested(test: ast.expr) -> Iterator[str]:
    """Return the names that the operands of a condition test."""
    return (name for name, _, _ in _subjects(test))


def _is_type_test(call: ast.Call) -> bool:
    return dotted(call.func) == "isinstance"


def _names_set(function: Function) -> Iterator[str]:
    """Yield the names that a function sets to a constant, a display or the result of a call."""
    for node in scan(function, {ast.Assign, ast.AnnAssign}):
        assert isinstance(node, (ast.Assign, ast.AnnAssign))
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(node.value, SETTING):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
