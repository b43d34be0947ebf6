"""Whether an operand that an earlier test decides does harm."""

from __future__ import annotations

import ast
import re

from esper_audit.source.idioms.branches.branch_analysis import ConstantCondition
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import text_of

TESTED_LINE = re.compile(r"line (\d+) already tests it$")


def is_harmless(found: ConstantCondition, file: FileView) -> bool:
    """Return whether an operand repeats what holds, where no `else` belongs to that, or only raises.

    Below `if x:` without an `else`, `x and y` is as good as `y`. With one the two are one case apart.
    """
    statement = file.enclosing(found.test)[-1]
    if isinstance(statement, ast.If) and all(isinstance(s, ast.Raise) for s in statement.body):
        return True
    return found.known.truth and not any(branch.orelse for branch in _deciding(found, file))


def has_dead_code(test: ast.expr, truth: bool, file: FileView) -> bool:
    """Return whether something never runs as a test is always true, or always false.

    A last `elif` that is always true is an `else`.
    """
    above = file.parent(test)
    if not isinstance(above, ast.If) or not truth:
        return True
    return bool(above.orelse) or isinstance(above.body[-1], (ast.Return, ast.Raise, ast.Continue))


def is_neutral(operand: ast.expr, truth: bool, file: FileView) -> bool:
    """Return whether an operand changes nothing: a true one of `and`, a false one of `or`."""
    above = file.parent(operand)
    return isinstance(above, ast.BoolOp) and isinstance(above.op, ast.And) is truth


def is_left_early(found: ConstantCondition, file: FileView) -> bool:
    """Return whether a test for None, one way of an `or`, is about values for which the function has ended."""
    test = found.test
    is_none_test = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is)
    is_by_test = TESTED_LINE.match(found.known.reason) is not None
    is_dead = is_none_test and is_by_test and not found.known.truth
    return is_dead and not _deciding(found, file)


def is_nested_wrongly(found: ConstantCondition, file: FileView) -> bool:
    """Return whether a branch does what the `else` of the condition around it does as well.

    `if x: if x and y: f()`, `else: f()` was meant as `if x and y: ... else: f()`.
    """
    statement = file.enclosing(found.test)[-1]
    if not isinstance(statement, ast.If):
        return False
    done = _calls(statement.body)
    nested = (b for b in _deciding(found, file) if _holds(b.body, statement))
    return any(not done.isdisjoint(_calls(branch.orelse)) for branch in nested)


def _deciding(found: ConstantCondition, file: FileView) -> list[ast.If]:
    """Return the statements around an operand whose condition decides it."""
    tested = TESTED_LINE.match(found.known.reason)
    around = [s for s in file.enclosing(found.test) if isinstance(s, ast.If)]
    return [s for s in around if tested and s.test.lineno == int(tested[1])]


def _holds(body: list[ast.stmt], statement: ast.stmt) -> bool:
    return any(part is statement for outer in body for part in scan(outer, {ast.If}))


def _calls(statements: list[ast.stmt]) -> frozenset[str]:
    """Return the calls in statements, as text."""
    return frozenset(text_of(call) for s in statements for call in scan(s, {ast.Call}))
