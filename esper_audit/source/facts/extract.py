"""Reading one file's `ast` for its facts: one pass with a pile instead of recursion, a handler a kind of node."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from esper_audit.source.facts import (
    extract as fact_statements,
)
from esper_audit.source.facts import (
    extract_definitions as fact_definitions,
)
from esper_audit.source.facts import (
    extract_expressions as fact_expressions,
)
from esper_audit.source.facts.access_path import UNKNOWN, instance
from esper_audit.source.facts.annotation_text import annotation_text
from esper_audit.source.facts.builder import FactsBuilder
from esper_audit.source.facts.expression_paths import (
    loop_bindings,
    path_of,
    paths_of,
    unpacked,
)
from esper_audit.source.facts.extract_definitions import GUARD
from esper_audit.source.facts.extract_expressions import Context, Unread, Work, block
from esper_audit.source.facts.narrowing import when_false, when_true
from esper_audit.source.facts.records import FileFacts
from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.enclosing import last_line
from esper_audit.source.syntax.names import dotted


def for_loop(ledger: FactsBuilder, node: ast.For | ast.AsyncFor, at: Context) -> Unread:
    """Bind what a loop runs over."""
    for name, written in loop_bindings(node.target, node.iter, at.meanings):
        ledger.bind(at.scope, name, written)
    yield node.iter, at
    yield node.target, at
    yield from block(node.body, at)
    yield from block(node.orelse, at)


def while_loop(ledger: FactsBuilder, node: ast.While, at: Context) -> Unread:
    """Narrow by the test of a loop."""
    yield node.test, at
    inside = at._replace(meanings=when_true(node.test, at.meanings))
    yield from block(node.body, inside)
    yield from block(node.orelse, at)


def if_statement(ledger: FactsBuilder, node: ast.If, at: Context) -> Unread:
    """Narrow by a test and its negation; below `if TYPE_CHECKING` imports are marked."""
    yield node.test, at
    meanings = when_true(node.test, at.meanings)
    if dotted(node.test).rpartition(".")[2] == GUARD:
        meanings = {**meanings, GUARD: UNKNOWN}
    yield from block(node.body, at._replace(meanings=meanings))
    otherwise = at._replace(meanings=when_false(node.test, at.meanings))
    yield from block(node.orelse, otherwise)


def with_statement(ledger: FactsBuilder, node: ast.With | ast.AsyncWith, at: Context) -> Unread:
    """Bind what entering a context gives."""
    enter = "__enter__" if isinstance(node, ast.With) else "__aenter__"
    for item in node.items:
        yield item.context_expr, at
        if item.optional_vars is not None:
            context = path_of(item.context_expr, at.meanings)
            entered = context.attribute(enter).called() if context != UNKNOWN else UNKNOWN
            for name, written in unpacked(item.optional_vars, entered):
                ledger.bind(at.scope, name, written)
            yield item.optional_vars, at
    yield from block(node.body, at)


def try_statement(ledger: FactsBuilder, node: ast.Try | ast.TryStar, at: Context) -> Unread:
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


def match_statement(ledger: FactsBuilder, node: ast.Match, at: Context) -> Unread:
    """Bind what patterns capture; `case T():` narrows the subject."""
    yield node.subject, at
    for case in node.cases:
        for part in ast.walk(case.pattern):
            yield from _pattern(ledger, part, at)
        inside = _narrowed(node.subject, case.pattern, at)
        if case.guard is not None:
            yield case.guard, inside
        yield from block(case.body, inside)


def return_statement(ledger: FactsBuilder, node: ast.Return, at: Context) -> Unread:
    """Note what a function returns."""
    if node.value is None:
        return []
    ledger.returns(at.scope, paths_of(node.value, at.meanings))
    return [(node.value, at)]


def yield_expression(ledger: FactsBuilder, node: ast.Yield | ast.YieldFrom, at: Context) -> Unread:
    """Note what a generator yields."""
    if node.value is None or isinstance(node, ast.YieldFrom):
        ledger.generates(at.scope, [])
    else:
        ledger.generates(at.scope, paths_of(node.value, at.meanings))
    return [(node.value, at)] if node.value is not None else []


def outer_declaration(ledger: FactsBuilder, node: ast.Global | ast.Nonlocal, at: Context) -> Unread:
    """Note names that belong to a scope further out."""
    for name in node.names:
        ledger.declare_elsewhere(at.scope, name, is_global=isinstance(node, ast.Global))
    return []


def _narrowed(subject: ast.expr, pattern: ast.pattern, at: Context) -> Context:
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        pattern = pattern.pattern
    name = dotted(subject)
    if not (isinstance(pattern, ast.MatchClass) and name):
        return at
    narrowed = instance(annotation_text(pattern.cls))
    return at._replace(meanings={**at.meanings, name: narrowed})


def _pattern(ledger: FactsBuilder, part: ast.AST, at: Context) -> Unread:
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


Handler = Callable[[FactsBuilder, Any, Context], Unread]


def read_facts(tree: ast.Module) -> FileFacts:
    """Return the facts of a parsed file."""
    ledger = FactsBuilder(last_line(tree.body[-1]) if tree.body else 1)
    pile: list[Work] = list(fact_expressions.block(tree.body, Context()))
    pile.reverse()
    while pile:
        node, at = pile.pop()
        handler = HANDLERS.get(type(node))
        left = list(handler(ledger, node, at)) if handler else [(c, at) for c in children(node)]
        left.reverse()
        pile += left
    return ledger.close()


HANDLERS: dict[type[ast.AST], Handler] = {
    ast.AnnAssign: fact_definitions.annotated,
    ast.Assign: fact_definitions.assign,
    ast.AsyncFor: fact_statements.for_loop,
    ast.AsyncFunctionDef: fact_definitions.function,
    ast.AsyncWith: fact_statements.with_statement,
    ast.Attribute: fact_expressions.attribute,
    ast.AugAssign: fact_definitions.augmented,
    ast.BoolOp: fact_expressions.bool_operation,
    ast.Call: fact_expressions.call,
    ast.ClassDef: fact_definitions.class_,
    ast.Constant: fact_expressions.constant,
    ast.DictComp: fact_expressions.comprehension,
    ast.Expr: fact_definitions.expression,
    ast.For: fact_statements.for_loop,
    ast.FunctionDef: fact_definitions.function,
    ast.GeneratorExp: fact_expressions.comprehension,
    ast.Global: fact_statements.outer_declaration,
    ast.If: fact_statements.if_statement,
    ast.IfExp: fact_expressions.conditional,
    ast.Import: fact_definitions.import_,
    ast.ImportFrom: fact_definitions.import_,
    ast.JoinedStr: fact_expressions.f_string,
    ast.Lambda: fact_expressions.lambda_,
    ast.ListComp: fact_expressions.comprehension,
    ast.Match: fact_statements.match_statement,
    ast.Name: fact_expressions.name,
    ast.NamedExpr: fact_expressions.named_expression,
    ast.Nonlocal: fact_statements.outer_declaration,
    ast.Return: fact_statements.return_statement,
    ast.SetComp: fact_expressions.comprehension,
    ast.Try: fact_statements.try_statement,
    ast.TryStar: fact_statements.try_statement,
    ast.While: fact_statements.while_loop,
    ast.With: fact_statements.with_statement,
    ast.Yield: fact_statements.yield_expression,
    ast.YieldFrom: fact_statements.yield_expression,
}
