"""Functions that may return None despite their annotation."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.syntax.ast_walk import children, walk
from esper_audit.source.syntax.names import Function, parameters


def is_nullable(function: Function) -> bool:
    """Return whether a function may return None: by reaching its end, by None or by a name set to None."""
    unset = frozenset(_names_set_to_none(function))
    return _has_reachable_end(function.body) or any(
        _is_none(statement.value, unset) for statement in _returns(function)
    )


def _names_set_to_none(function: Function) -> Iterator[str]:
    defaults = [*function.args.defaults, *function.args.kw_defaults]
    if any(_is_none(default, frozenset()) for default in defaults if default is not None):
        yield from (parameter.arg for parameter in parameters(function.args))
    for part in walk(function):
        if isinstance(part, (ast.Assign, ast.AnnAssign)) and part.value is not None:
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            names = (target.id for target in targets if isinstance(target, ast.Name))
            yield from names if _is_none(part.value, frozenset()) else ()


def _returns(function: Function) -> Iterator[ast.Return]:
    """Yield the return statements of a function, without those of nested functions."""
    pending: list[ast.AST] = [*function.body]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Return):
            yield part
        elif not isinstance(
            part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        ):
            pending += children(part)


def _is_none(value: ast.expr | None, unset: frozenset[str]) -> bool:
    if isinstance(value, ast.IfExp):
        return _is_none(value.body, unset) or _is_none(value.orelse, unset)
    if isinstance(value, ast.BoolOp):
        return any(_is_none(operand, unset) for operand in value.values)
    if isinstance(value, ast.Name):
        return value.id in unset
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


def _has_reachable_end(block: Sequence[ast.stmt]) -> bool:
    """Return whether the end of a block may be reached, as is assumed for loops and `match`."""
    last = block[-1] if block else None
    if isinstance(last, ast.If):
        return _has_reachable_end(last.body) or _has_reachable_end(last.orelse)
    if isinstance(last, (ast.With, ast.AsyncWith)):
        return _has_reachable_end(last.body)
    if isinstance(last, ast.Try):
        ways = [last.orelse or last.body, *(handler.body for handler in last.handlers)]
        return any(map(_has_reachable_end, ways)) and _has_reachable_end(last.finalbody)
    return not isinstance(last, (ast.Return, ast.Raise))
