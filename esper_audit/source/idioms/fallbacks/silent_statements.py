"""Statements of an `except` clause that neither report nor handle the exception."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.fallbacks.exception_handling import own_nodes, statements
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.node_view import View

DEBUG_LOGS = frozenset({"debug", "trace"})
CONSTRUCTORS = frozenset(
    {"bool", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"}
)
TENSORS = frozenset(
    {"torch.empty", "torch.ones", "torch.tensor", "torch.zeros", "torch.zeros_like"}
)
FACTORIES = frozenset(name.removeprefix("torch.") for name in TENSORS) | CONSTRUCTORS
SILENT_STATEMENTS = (
    ast.Pass,
    ast.Continue,
    ast.Break,
    ast.Delete,
    ast.Return,
    ast.Assign,
    ast.AnnAssign,
)


def is_possibly_silent(statement: ast.stmt) -> bool:
    """Return whether a statement may be silent: it calls nothing but constructors and debug logs."""
    if isinstance(statement, ast.If):
        return True
    methods = {
        node.func.attr
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    if isinstance(statement, ast.Expr):
        is_log = isinstance(statement.value, ast.Call) and not methods.isdisjoint(DEBUG_LOGS)
        return is_log or isinstance(statement.value, ast.Constant)
    return isinstance(statement, SILENT_STATEMENTS) and methods <= FACTORIES


def is_silent(block: cst.CSTNode, error: str, view: View) -> bool:
    """Return whether a block only passes, leaves, logs at debug level or sets a default.

    A statement that uses the name `error` of the exception is not silent.
    """
    return all(_is_silent_statement(part, error, view) for part in statements(block))


def _is_silent_statement(part: cst.CSTNode, error: str, view: View) -> bool:
    if isinstance(part, (cst.Pass, cst.Continue, cst.Break, cst.Del)):
        return True
    if isinstance(part, cst.Expr):
        return isinstance(part.value, (cst.SimpleString, cst.Ellipsis)) or _is_debug_log(part.value)
    if isinstance(part, (cst.Return, cst.Assign, cst.AnnAssign)):
        return part.value is None or _is_default(part.value, error, view)
    if not isinstance(part, cst.If) or not _is_default(part.test, error, view):
        return False
    other = part.orelse.body if isinstance(part.orelse, cst.Else) else part.orelse
    silent_else = other is None or (
        _is_silent_statement(other, error, view)
        if isinstance(other, cst.If)
        else is_silent(other, error, view)
    )
    return silent_else and is_silent(part.body, error, view)


def _is_debug_log(value: cst.CSTNode) -> bool:
    """Return whether a call logs at debug or trace level."""
    if not isinstance(value, cst.Call) or not isinstance(value.func, cst.Attribute):
        return False
    return value.func.attr.value in DEBUG_LOGS


def _is_default(value: cst.CSTNode, error: str, view: View) -> bool:
    """Return whether an expression calls nothing but constructors and does not use the error."""
    for node in own_nodes([value]):
        if isinstance(node, cst.Name) and node.value == error:
            return False
        if isinstance(node, (cst.Await, cst.Yield, cst.BaseComp)):
            return False
        if isinstance(node, cst.Call):
            name = view.resolve(node.func) or ""
            if name not in TENSORS and name.removeprefix("builtins.") not in CONSTRUCTORS:
                return False
    return True
