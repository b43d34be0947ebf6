"""Type narrowing: what `isinstance(x, T)` establishes where it holds, and below a guard."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from esper_audit.source.facts.access_path import AccessPath, instance
from esper_audit.source.facts.annotation_text import annotation_text, union_text
from esper_audit.source.facts.extraction.expression_paths import Meanings
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.names import dotted

LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def when_true(test: ast.expr, meanings: Meanings) -> Meanings:
    """Return the meanings where a test holds."""
    found = dict(_type_tests(test))
    return {**meanings, **found} if found else meanings


def when_false(test: ast.expr, meanings: Meanings) -> Meanings:
    """Return the meanings where a test does not hold."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return when_true(test.operand, meanings)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        for value in test.values:
            meanings = when_false(value, meanings)
    return meanings


def after(statement: ast.stmt, meanings: Meanings) -> Meanings:
    """Return the meanings below a statement: what an assertion or a guard establishes, less what is rebound."""
    if isinstance(statement, ast.Assert):
        return when_true(statement.test, meanings)
    if isinstance(statement, ast.If) and not statement.orelse and _leaves_block(statement.body):
        return when_false(statement.test, meanings)
    if not meanings:
        return meanings
    rebound = _rebound(statement)
    if not any(_is_rebound(name, rebound) for name in meanings):
        return meanings
    return {n: meaning for n, meaning in meanings.items() if not _is_rebound(n, rebound)}


def _type_tests(test: ast.expr) -> list[tuple[str, AccessPath]]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return [claim for value in test.values for claim in _type_tests(value)]
    if not (isinstance(test, ast.Call) and isinstance(test.func, ast.Name)):
        return []
    if test.func.id != "isinstance" or len(test.args) != 2:
        return []
    name = dotted(test.args[0])
    if not name or name.count(".") > 1:
        return []
    return [(name, instance(_types(test.args[1])))]


def _types(node: ast.expr) -> str:
    """Return the second argument of `isinstance` as an annotation."""
    if isinstance(node, ast.Tuple):
        return union_text(node.elts)
    return annotation_text(node) or "Any"


def _leaves_block(block: Sequence[ast.stmt]) -> bool:
    return bool(block) and isinstance(block[-1], LEAVING)


def _is_rebound(name: str, rebound: frozenset[str]) -> bool:
    return name in rebound or name.partition(".")[0] in rebound


def _rebound(statement: ast.stmt) -> frozenset[str]:
    """Return the names and `self.x` that a statement, or one inside it, assigns."""
    found: set[str] = set()
    pending = [statement]
    while pending:
        one = pending.pop()
        targets: Sequence[ast.expr] = ()
        if isinstance(one, ast.Assign):
            targets = one.targets
        elif isinstance(one, (ast.AnnAssign, ast.AugAssign, ast.For)):
            targets = (one.target,)
        found.update(map(dotted, targets))
        if not isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            pending += [inner for block in blocks(one) for inner in block]
    return frozenset(found)
