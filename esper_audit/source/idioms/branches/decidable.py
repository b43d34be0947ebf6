"""Whether an operand of a condition can be decided by what a function shows before it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from esper_audit.source.idioms.branches.conditions import atom_of
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import Function, dotted

SETTING = (ast.Constant, ast.List, ast.Dict, ast.Tuple, ast.Set, ast.Call)
TESTED = frozenset({ast.BoolOp, ast.Call})


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


def _tests(branches: Sequence[ast.AST]) -> Iterator[ast.expr]:
    return (branch.test for branch in branches if isinstance(branch, (ast.If, ast.IfExp)))


def _names_tested(test: ast.expr) -> Iterator[str]:
    """Yield the names of which the operands of a condition say something."""
    pending = [test]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.BoolOp):
            pending += part.values
        elif isinstance(part, ast.UnaryOp):
            pending.append(part.operand)
        elif (found := atom_of(part)) is not None:
            yield found[0].name


def _is_type_test(call: ast.Call) -> bool:
    return dotted(call.func) == "isinstance"


def _names_set(function: Function) -> Iterator[str]:
    """Yield the names that a function sets to a constant, a display or the result of a call."""
    for node in scan(function, {ast.Assign, ast.AnnAssign}):
        assert isinstance(node, (ast.Assign, ast.AnnAssign))
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(node.value, SETTING):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
