"""Ratios of probabilities that are multiplied over the steps of a trajectory, or divided by their sum."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.numerics.value_origins import called_function
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

TOTALS = frozenset({"sum", "mean", "cumsum"})
PRODUCTS = frozenset({"prod", "cumprod"})


def is_importance_weight(ratio: ast.expr, file: FileView, calls: int = 1) -> bool:
    """Return whether the function around a ratio, or one that gets it, makes weights that one overflow spoils.

    It divides by their sum, takes their product, or multiplies them in the step of a recursion.
    """
    functions = file.functions(ratio)
    statement = file.enclosing(ratio)[-1]
    if functions and isinstance(statement, ast.Return) and calls:
        uses = file.calls(functions[-1].name)
        own = [use for use in uses if called_function(use, file) is functions[-1]]
        return any(is_importance_weight(use, file, calls - 1) for use in own)
    if not functions or not isinstance(statement, ast.Assign):
        return False
    name = dotted(statement.targets[0])
    if not name:
        return False
    for node in scan(functions[-1], {ast.BinOp, ast.Call, ast.For, ast.While}):
        if isinstance(node, ast.Call) and terminal_name(node.func) in PRODUCTS:
            if _has_name(node, name):
                return True
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            if _has_name(node.left, name) and _is_total(node.right, name):
                return True
        elif isinstance(node, (ast.For, ast.While)) and _is_recursion(node, name):
            return True
    return False


def _is_total(node: ast.expr, name: str) -> bool:
    calls = (part for part in walk(node) if isinstance(part, ast.Call))
    return any(terminal_name(call.func) in TOTALS and _has_name(call, name) for call in calls)


def _is_recursion(loop: ast.For | ast.While, name: str) -> bool:
    """Return whether a step multiplies a ratio with what the step before has computed."""
    for node in scan(loop, {ast.Assign}):
        assert isinstance(node, ast.Assign)
        own = dotted(node.targets[0])
        products = (
            part
            for part in walk(node.value)
            if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult)
        )
        if own and any(_has_name(part, own) and _has_name(part, name) for part in products):
            return True
    return False


def _has_name(node: ast.AST, name: str) -> bool:
    return any(
        dotted(part) == name for part in walk(node) if isinstance(part, (ast.Name, ast.Attribute))
    )
