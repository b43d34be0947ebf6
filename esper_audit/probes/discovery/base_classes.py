"""Whether a module class is only a base of others: it leaves its forward, or a part of it, to them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from torch import nn

from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.subject.class_source import tree_of_file

ABSTRACT = "NotImplementedError"


def is_base_class(kind: type[nn.Module], failure: TrialFailure | None = None) -> bool:
    """Return whether a class has no forward, or one of its methods that only raises ended its call."""
    if not has_forward(kind):
        return True
    if failure is None or failure.type != ABSTRACT:
        return False
    file, _, line = failure.place.rpartition(":")
    method = _function_at(file, int(line or 0))
    return method is not None and _is_empty(method) and method.name in dir(kind)


def has_forward(kind: type[nn.Module]) -> bool:
    """Return whether a class or one of its bases has a forward that does more than raise or call that of a base."""
    for base in kind.__mro__[: kind.__mro__.index(nn.Module)]:
        forward = vars(base).get("forward")
        if forward is None:
            continue
        node = _definition_of(forward)
        if node is None or not (_is_empty(node) or _is_inherited(node)):
            return True
        if _is_empty(node):
            return False
    return False


def _definition_of(function: object) -> ast.FunctionDef | None:
    """Return the definition of a function, None for what has no source."""
    if not inspect.isfunction(function):
        return None
    code = inspect.unwrap(function).__code__
    return _function_at(code.co_filename, code.co_firstlineno)


def _function_at(file: str, line: int) -> ast.FunctionDef | None:
    """Return the innermost function of a file that has a line."""
    found = None
    for node in _functions(file):
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        if first <= line <= (node.end_lineno or first):
            found = node
    return found


def _functions(file: str) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree_of_file(file)) if isinstance(node, ast.FunctionDef))


def _is_empty(node: ast.FunctionDef) -> bool:
    """Return whether a function has no statement that does something but raise that it is not implemented."""
    return all(map(_is_idle, node.body))


def _is_idle(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise) and statement.exc is not None:
        return ABSTRACT in ast.unparse(statement.exc)
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or isinstance(statement, ast.Pass)


def _is_inherited(node: ast.FunctionDef) -> bool:
    """Return whether a function only calls that of a base."""
    *before, last = node.body
    value = last.value if isinstance(last, (ast.Return, ast.Expr)) else None
    is_call = value is not None and ast.unparse(value).startswith("super().forward(")
    return is_call and all(map(_is_idle, before))
