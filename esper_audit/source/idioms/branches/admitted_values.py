"""Statements that the values admitted above them never reach, as each value has a branch of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.branches.counters import block_of
from esper_audit.source.idioms.fallbacks.constant_tests import truth_with
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import is_within
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted

ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
Admission = tuple[str, list[object], int]


def is_ruled_out(statement: ast.stmt, file: FileView) -> bool:
    """Return whether no value that an earlier test admits leads to a statement.

    `assert mode in ("a", "b")`, `if mode not in ("a", "b"): raise` or `elif mode in ("a", "b")` around,
    and below `if mode == "a"`, `elif mode == "b"`, `else`, or a branch for a third value.
    """
    branches = [branch for branch in file.enclosing(statement) if isinstance(branch, ast.If)]
    for name, values, line in _admissions(statement, file):
        chain = [branch for branch in branches if branch.lineno > line]
        if not chain or _is_bound(name, line, chain[0], file):
            continue
        if not any(_reaches(chain, statement, name, value) for value in values):
            return True
    return False


def _reaches(chain: list[ast.If], statement: ast.stmt, name: str, value: object) -> bool:
    """Return whether a value of a name may take each branch on the way to a statement."""
    for branch in chain:
        truth = truth_with(branch.test, name, value)
        if truth is not None and truth != is_within(statement, branch.body):
            return False
    return True


def _admissions(statement: ast.stmt, file: FileView) -> Iterator[Admission]:
    """Yield the names of which only some constants get to a statement, each with the line of the test."""
    functions = file.functions(statement)
    checks = scan(functions[-1], {ast.Assert, ast.If}) if functions else []
    for check in checks:
        if not isinstance(check, (ast.Assert, ast.If)) or check.lineno >= statement.lineno:
            continue
        truth = _truth_behind(check, statement, file)
        for name, values in _admitted(check.test, is_met=truth) if truth is not None else ():
            yield name, values, check.lineno


def _truth_behind(check: ast.Assert | ast.If, statement: ast.stmt, file: FileView) -> bool | None:
    """Return how a test turned out wherever a statement below it runs, None if it is open."""
    if isinstance(check, ast.If):
        for block, truth in ((check.body, True), (check.orelse, False)):
            if block and is_within(statement, block):
                return truth
        if check.orelse or not isinstance(check.body[-1], ENDS):
            return None
    is_behind = is_within(statement, block_of(check, file))
    return isinstance(check, ast.Assert) if is_behind else None


def _admitted(test: ast.expr, *, is_met: bool) -> Iterator[tuple[str, list[object]]]:
    """Yield the names that a test admits with some constants only, where it is met or is not."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _admitted(test.operand, is_met=not is_met)
    elif isinstance(test, ast.BoolOp):
        parts = [list(_admitted(part, is_met=is_met)) for part in test.values]
        if isinstance(test.op, ast.And) is is_met:
            yield from (found for part in parts for found in part)
        elif all(parts) and len({part[0][0] for part in parts}) == 1:
            yield parts[0][0][0], [value for part in parts for value in part[0][1]]
    elif isinstance(test, ast.Compare) and len(test.ops) == 1 and dotted(test.left):
        kinds = (ast.In, ast.Eq) if is_met else (ast.NotIn, ast.NotEq)
        listed = test.comparators[0]
        is_list = isinstance(listed, (ast.List, ast.Tuple, ast.Set))
        values = listed.elts if isinstance(listed, (ast.List, ast.Tuple, ast.Set)) else [listed]
        constants: list[object] = [v.value for v in values if isinstance(v, ast.Constant)]
        is_of_kind = isinstance(test.ops[0], kinds[0] if is_list else kinds[1])
        if is_of_kind and constants and len(constants) == len(values):
            yield dotted(test.left), constants


def _is_bound(name: str, line: int, chain: ast.If, file: FileView) -> bool:
    """Return whether a function binds a name between a line and the tests."""
    functions = file.functions(chain)
    nodes = scan(functions[-1], {ast.Name, ast.Attribute}) if functions else []
    return any(
        isinstance(node, (ast.Name, ast.Attribute))
        and isinstance(node.ctx, ast.Store)
        and line < node.lineno < chain.lineno
        and dotted(node) == name
        for node in nodes
    )
