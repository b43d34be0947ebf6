"""Extraction of one file's facts: one iterative pass over its `ast`, with a handler for each kind of node."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from esper_audit.source.facts.access_path import UNKNOWN, instance
from esper_audit.source.facts.annotation_text import annotation_text
from esper_audit.source.facts.extraction import extract_definitions as definitions
from esper_audit.source.facts.extraction import extract_expressions as expressions
from esper_audit.source.facts.extraction.builder import FactsBuilder
from esper_audit.source.facts.extraction.expression_paths import (
    loop_bindings,
    path_of,
    paths_of,
    unpacked,
)
from esper_audit.source.facts.extraction.extract_definitions import GUARD
from esper_audit.source.facts.extraction.extract_expressions import Context, Unread, Work, block
from esper_audit.source.facts.extraction.narrowing import when_false, when_true
from esper_audit.source.facts.records import FileFacts
from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.enclosing import last_line
from esper_audit.source.syntax.names import dotted


def for_loop(builder: FactsBuilder, node: ast.For | ast.AsyncFor, context: Context) -> Unread:
    """Bind what a loop runs over."""
    for name, written in loop_bindings(node.target, node.iter, context.meanings):
        builder.bind(context.scope, name, written)
    yield node.iter, context
    yield node.target, context
    yield from block(node.body, context)
    yield from block(node.orelse, context)


def while_loop(builder: FactsBuilder, node: ast.While, context: Context) -> Unread:
    """Narrow by the test of a loop."""
    yield node.test, context
    inside = context._replace(meanings=when_true(node.test, context.meanings))
    yield from block(node.body, inside)
    yield from block(node.orelse, context)


def if_statement(builder: FactsBuilder, node: ast.If, context: Context) -> Unread:
    """Narrow by a test and its negation. Below `if TYPE_CHECKING` imports are marked."""
    yield node.test, context
    meanings = when_true(node.test, context.meanings)
    if dotted(node.test).rpartition(".")[2] == GUARD:
        meanings = {**meanings, GUARD: UNKNOWN}
    yield from block(node.body, context._replace(meanings=meanings))
    otherwise = context._replace(meanings=when_false(node.test, context.meanings))
    yield from block(node.orelse, otherwise)


def with_statement(
    builder: FactsBuilder, node: ast.With | ast.AsyncWith, context: Context
) -> Unread:
    """Bind the result of entering a context."""
    enter = "__enter__" if isinstance(node, ast.With) else "__aenter__"
    for item in node.items:
        yield item.context_expr, context
        if item.optional_vars is not None:
            entered = path_of(item.context_expr, context.meanings)
            if entered != UNKNOWN:
                entered = entered.attribute(enter).called()
            for name, written in unpacked(item.optional_vars, entered):
                builder.bind(context.scope, name, written)
            yield item.optional_vars, context
    yield from block(node.body, context)


def try_statement(builder: FactsBuilder, node: ast.Try | ast.TryStar, context: Context) -> Unread:
    """Bind what the clauses catch."""
    yield from block(node.body, context)
    for handler in node.handlers:
        if handler.name is not None:
            builder.bind(context.scope, handler.name, instance(annotation_text(handler.type)))
        if handler.type is not None:
            yield handler.type, context
        yield from block(handler.body, context)
    yield from block(node.orelse, context)
    yield from block(node.finalbody, context)


def match_statement(builder: FactsBuilder, node: ast.Match, context: Context) -> Unread:
    """Bind what patterns capture. `case T():` narrows the subject."""
    yield node.subject, context
    for case in node.cases:
        for part in ast.walk(case.pattern):
            yield from _pattern(builder, part, context)
        inside = _narrowed(node.subject, case.pattern, context)
        if case.guard is not None:
            yield case.guard, inside
        yield from block(case.body, inside)


def return_statement(builder: FactsBuilder, node: ast.Return, context: Context) -> Unread:
    """Note what a function returns."""
    if node.value is None:
        return []
    builder.add_returned(context.scope, paths_of(node.value, context.meanings))
    return [(node.value, context)]


def yield_expression(
    builder: FactsBuilder, node: ast.Yield | ast.YieldFrom, context: Context
) -> Unread:
    """Note what a generator yields."""
    if node.value is None or isinstance(node, ast.YieldFrom):
        builder.add_yielded(context.scope, [])
    else:
        builder.add_yielded(context.scope, paths_of(node.value, context.meanings))
    return [(node.value, context)] if node.value is not None else []


def outer_declaration(
    builder: FactsBuilder, node: ast.Global | ast.Nonlocal, context: Context
) -> Unread:
    """Note names that belong to a scope further out."""
    for name in node.names:
        builder.declare_outer(context.scope, name, is_global=isinstance(node, ast.Global))
    return []


def _children(builder: FactsBuilder, node: ast.AST, context: Context) -> Unread:
    return [(child, context) for child in children(node)]


def _narrowed(subject: ast.expr, pattern: ast.pattern, context: Context) -> Context:
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        pattern = pattern.pattern
    name = dotted(subject)
    if not (isinstance(pattern, ast.MatchClass) and name):
        return context
    narrowed = instance(annotation_text(pattern.cls))
    return context._replace(meanings={**context.meanings, name: narrowed})


def _pattern(builder: FactsBuilder, part: ast.AST, context: Context) -> Unread:
    """Bind what a part of a pattern captures, and yield the expressions in it."""
    if isinstance(part, (ast.MatchAs, ast.MatchStar)) and part.name is not None:
        inner = part.pattern if isinstance(part, ast.MatchAs) else None
        known = annotation_text(inner.cls) if isinstance(inner, ast.MatchClass) else ""
        builder.bind(context.scope, part.name, instance(known))
    elif isinstance(part, ast.MatchMapping) and part.rest is not None:
        builder.bind(context.scope, part.rest, UNKNOWN)
    elif isinstance(part, ast.MatchValue):
        yield part.value, context
    elif isinstance(part, ast.MatchClass):
        yield part.cls, context


Handler = Callable[[FactsBuilder, Any, Context], Unread]


def read_facts(tree: ast.Module) -> FileFacts:
    """Return the facts of a parsed file."""
    builder = FactsBuilder(last_line(tree.body[-1]) if tree.body else 1)
    pending: list[Work] = list(expressions.block(tree.body, Context()))
    pending.reverse()
    while pending:
        node, context = pending.pop()
        unread = list(HANDLERS.get(type(node), _children)(builder, node, context))
        unread.reverse()
        pending += unread
    return builder.build()


HANDLERS: dict[type[ast.AST], Handler] = {
    ast.AnnAssign: definitions.annotated,
    ast.Assign: definitions.assign,
    ast.AsyncFor: for_loop,
    ast.AsyncFunctionDef: definitions.function,
    ast.AsyncWith: with_statement,
    ast.Attribute: expressions.attribute,
    ast.AugAssign: definitions.augmented,
    ast.BoolOp: expressions.bool_operation,
    ast.Call: expressions.call,
    ast.ClassDef: definitions.class_,
    ast.Constant: expressions.constant,
    ast.DictComp: expressions.comprehension,
    ast.Expr: definitions.expression,
    ast.For: for_loop,
    ast.FunctionDef: definitions.function,
    ast.GeneratorExp: expressions.comprehension,
    ast.Global: outer_declaration,
    ast.If: if_statement,
    ast.IfExp: expressions.conditional,
    ast.Import: definitions.import_,
    ast.ImportFrom: definitions.import_,
    ast.JoinedStr: expressions.f_string,
    ast.Lambda: expressions.lambda_,
    ast.ListComp: expressions.comprehension,
    ast.Match: match_statement,
    ast.Name: expressions.name,
    ast.NamedExpr: expressions.named_expression,
    ast.Nonlocal: outer_declaration,
    ast.Return: return_statement,
    ast.SetComp: expressions.comprehension,
    ast.Try: try_statement,
    ast.TryStar: try_statement,
    ast.While: while_loop,
    ast.With: with_statement,
    ast.Yield: yield_expression,
    ast.YieldFrom: yield_expression,
}
