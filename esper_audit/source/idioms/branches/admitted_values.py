"""Statements that the values admitted above them never reach, as each value has a branch of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.fallbacks.constant_tests import truth_with
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import is_within
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted

Admission = tuple[str, list[object], int]


def is_ruled_out(statement: ast.stmt, file: FileView) -> bool:
    """Return whether a statement is in the `else` of tests for each value that an earlier test admits.

    `assert mode in ("a", "b")`, or `elif mode in ("a", "b")` around, and below `if mode == "a"`, `elif
    mode == "b"`, `else`.
    """
    branches = [branch for branch in file.enclosing(statement) if isinstance(branch, ast.If)]
    otherwise = [branch for branch in branches if is_within(statement, branch.orelse)]
    for name, values, line in _admissions(statement, branches, file):
        chain = [branch for branch in otherwise if branch.lineno > line]
        tests = [branch.test for branch in chain]
        if chain and not _is_bound(name, line, chain[0], file):
            taken = [any(truth_with(test, name, value) for test in tests) for value in values]
            if all(taken):
                return True
    return False


def _admissions(statement: ast.stmt, branches: list[ast.If], file: FileView) -> Iterator[Admission]:
    """Yield the names of which only some constants get to a statement, each with the line of the test."""
    functions = file.functions(statement)
    checks = scan(functions[-1], {ast.Assert}) if functions else []
    above = [c for c in checks if isinstance(c, ast.Assert) and c.lineno < statement.lineno]
    around = [branch for branch in branches if is_within(statement, branch.body)]
    admitting: list[ast.Assert | ast.If] = [*above, *around]
    for check in admitting:
        test = check.test
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.In):
            continue
        listed = test.comparators[0]
        values = listed.elts if isinstance(listed, (ast.List, ast.Tuple, ast.Set)) else []
        constants: list[object] = [v.value for v in values if isinstance(v, ast.Constant)]
        if dotted(test.left) and constants and len(constants) == len(values):
            yield dotted(test.left), constants, check.lineno


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
