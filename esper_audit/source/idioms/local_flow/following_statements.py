"""Statements that run before and after a statement in the blocks around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, text_of

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef)
NESTED = frozenset({*SCOPES, ast.ClassDef, ast.Lambda})


def following(node: ast.expr | ast.stmt, file: FileView) -> Iterator[ast.stmt]:
    """Yield the statements that follow the one around a node, in its block and those around it."""
    for block, position in _levels(node, file):
        yield from block[position + 1 :]


def preceding(node: ast.expr | ast.stmt, file: FileView) -> Iterator[ast.stmt]:
    """Yield the statements in front of the one around a node, the nearest first."""
    for block, position in _levels(node, file):
        yield from reversed(block[:position])


def assigned_to(statement: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield each text that a statement or its blocks assign to, with the value."""
    for node in scan(statement, {ast.Assign, ast.AnnAssign}, NESTED):
        if isinstance(node, ast.Assign):
            yield from ((text_of(target), node.value) for target in node.targets)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield text_of(node.target), node.value


def helper_calls(
    statement: ast.stmt, name: str, file: FileView
) -> Iterator[tuple[ast.Call, Function, str]]:
    """Yield the calls that pass a name to a function of the file, with its parameter there."""
    calls = file.once(LocalCalls)
    for call in scan(statement, {ast.Call}, NESTED):
        target = calls.target(call) if isinstance(call, ast.Call) else None
        if target is None or not isinstance(call, ast.Call):
            continue
        for parameter, argument in calls.arguments(call, target).items():
            if text_of(argument) == name:
                yield call, target, parameter


def _levels(node: ast.expr | ast.stmt, file: FileView) -> Iterator[tuple[list[ast.stmt], int]]:
    """Yield the blocks around a node up to its function, each with the position of the node in it."""
    statements = file.enclosing(node)
    outer: list[ast.AST | None] = [*reversed(statements[:-1])]
    if not any(isinstance(s, (*SCOPES, ast.ClassDef)) for s in statements[:-1]):
        outer.append(None)
    for above, inner in zip(outer, reversed(statements), strict=False):
        nested = [file.tree.body] if above is None else list(blocks(above))  # type: ignore[arg-type]  # a statement
        for block in nested:
            if inner in block:
                yield block, block.index(inner)
        if isinstance(above, SCOPES):
            return
