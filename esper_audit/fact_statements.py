"""Reading statements that steer (loops, branches, `with`, `try`, `match`) for facts: what they bind and narrow."""

from __future__ import annotations

import ast

from esper_audit.fact_definitions import GUARD
from esper_audit.fact_expressions import At, Left, block
from esper_audit.ledger import Ledger
from esper_audit.names import dotted
from esper_audit.narrowing import when_false, when_true
from esper_audit.written import (
    UNKNOWN,
    annotation_text,
    instance,
    loop_bindings,
    path,
    paths,
    unpacked,
)


def for_(ledger: Ledger, node: ast.For | ast.AsyncFor, at: At) -> Left:
    """Bind what a loop runs over."""
    for name, written in loop_bindings(node.target, node.iter, at.meanings):
        ledger.bind(at.scope, name, written)
    yield node.iter, at
    yield node.target, at
    yield from block(node.body, at)
    yield from block(node.orelse, at)


def while_(ledger: Ledger, node: ast.While, at: At) -> Left:
    """Narrow by the test of a loop."""
    yield node.test, at
    inside = at._replace(meanings=when_true(node.test, at.meanings))
    yield from block(node.body, inside)
    yield from block(node.orelse, at)


def if_(ledger: Ledger, node: ast.If, at: At) -> Left:
    """Narrow by a test and its negation; below `if TYPE_CHECKING` imports are marked."""
    yield node.test, at
    meanings = when_true(node.test, at.meanings)
    if dotted(node.test).rpartition(".")[2] == GUARD:
        meanings = {**meanings, GUARD: UNKNOWN}
    yield from block(node.body, at._replace(meanings=meanings))
    otherwise = at._replace(meanings=when_false(node.test, at.meanings))
    yield from block(node.orelse, otherwise)


def with_(ledger: Ledger, node: ast.With | ast.AsyncWith, at: At) -> Left:
    """Bind what entering a context gives."""
    enter = ".__enter__()" if isinstance(node, ast.With) else ".__aenter__()"
    for item in node.items:
        yield item.context_expr, at
        if item.optional_vars is not None:
            entered = path(item.context_expr, at.meanings)
            entered = entered + enter if entered != UNKNOWN else UNKNOWN
            for name, written in unpacked(item.optional_vars, entered):
                ledger.bind(at.scope, name, written)
            yield item.optional_vars, at
    yield from block(node.body, at)


def try_(ledger: Ledger, node: ast.Try | ast.TryStar, at: At) -> Left:
    """Bind what the clauses catch."""
    yield from block(node.body, at)
    for handler in node.handlers:
        if handler.name is not None:
            ledger.bind(at.scope, handler.name, instance(annotation_text(handler.type)))
        if handler.type is not None:
            yield handler.type, at
        yield from block(handler.body, at)
    yield from block(node.orelse, at)
    yield from block(node.finalbody, at)


def match(ledger: Ledger, node: ast.Match, at: At) -> Left:
    """Bind what patterns capture; `case T():` narrows the subject."""
    yield node.subject, at
    for case in node.cases:
        for part in ast.walk(case.pattern):
            yield from _pattern(ledger, part, at)
        inside = _narrowed(node.subject, case.pattern, at)
        if case.guard is not None:
            yield case.guard, inside
        yield from block(case.body, inside)


def return_(ledger: Ledger, node: ast.Return, at: At) -> Left:
    """Note what a function returns."""
    if node.value is None:
        return []
    ledger.returns(at.scope, paths(node.value, at.meanings))
    return [(node.value, at)]


def yield_(ledger: Ledger, node: ast.Yield | ast.YieldFrom, at: At) -> Left:
    """Note what a generator yields."""
    if node.value is None or isinstance(node, ast.YieldFrom):
        ledger.generates(at.scope, [])
    else:
        ledger.generates(at.scope, paths(node.value, at.meanings))
    return [(node.value, at)] if node.value is not None else []


def elsewhere(ledger: Ledger, node: ast.Global | ast.Nonlocal, at: At) -> Left:
    """Note names that belong to a scope further out."""
    for name in node.names:
        ledger.declare_elsewhere(at.scope, name, is_global=isinstance(node, ast.Global))
    return []


def _narrowed(subject: ast.expr, pattern: ast.pattern, at: At) -> At:
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        pattern = pattern.pattern
    if not (isinstance(pattern, ast.MatchClass) and isinstance(subject, (ast.Name, ast.Attribute))):
        return at
    narrowed = instance(annotation_text(pattern.cls))
    return at._replace(meanings={**at.meanings, path(subject): narrowed})


def _pattern(ledger: Ledger, part: ast.AST, at: At) -> Left:
    """Bind what a part of a pattern captures; yield the expressions in it."""
    if isinstance(part, (ast.MatchAs, ast.MatchStar)) and part.name is not None:
        inner = part.pattern if isinstance(part, ast.MatchAs) else None
        known = annotation_text(inner.cls) if isinstance(inner, ast.MatchClass) else ""
        ledger.bind(at.scope, part.name, instance(known))
    elif isinstance(part, ast.MatchMapping) and part.rest is not None:
        ledger.bind(at.scope, part.rest, UNKNOWN)
    elif isinstance(part, ast.MatchValue):
        yield part.value, at
    elif isinstance(part, ast.MatchClass):
        yield part.cls, at
