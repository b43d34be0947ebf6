"""Statements of an `except` clause that neither report nor handle the exception."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from esper_audit.source.idioms.fallbacks.exception_handling import own_nodes
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import identifiers

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
TEXT_TYPES = (str, bytes, type(...))
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


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


def is_silent(block: Sequence[ast.stmt], error: str | None, file: FileView) -> bool:
    """Return whether a block only passes, leaves, logs at debug level or sets a default.

    A statement that uses the name `error` of the exception is not silent.
    """
    return all(_is_silent_statement(part, error, file) for part in block)


def _is_silent_statement(part: ast.stmt, error: str | None, file: FileView) -> bool:
    if isinstance(part, (ast.Pass, ast.Continue, ast.Break, ast.Delete)):
        return True
    if isinstance(part, ast.Expr):
        is_text = isinstance(part.value, ast.Constant) and isinstance(part.value.value, TEXT_TYPES)
        return is_text or _is_debug_log(part.value)
    if isinstance(part, (ast.Return, ast.Assign, ast.AnnAssign)):
        return part.value is None or _is_default(part.value, error, file)
    if not isinstance(part, ast.If) or not _is_default(part.test, error, file):
        return False
    return is_silent([*part.body, *part.orelse], error, file)


def _is_debug_log(value: ast.expr) -> bool:
    """Return whether a call logs at debug or trace level."""
    function = value.func if isinstance(value, ast.Call) else None
    return isinstance(function, ast.Attribute) and function.attr in DEBUG_LOGS


def _is_default(value: ast.expr, error: str | None, file: FileView) -> bool:
    """Return whether an expression calls nothing but constructors and does not use the error."""
    for node in own_nodes([value]):
        if error in identifiers(node):
            return False
        if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, *COMPREHENSIONS)):
            return False
        if isinstance(node, ast.Call):
            name = file.resolve(node.func) or ""
            if name not in TENSORS and name.removeprefix("builtins.") not in CONSTRUCTORS:
                return False
    return True
