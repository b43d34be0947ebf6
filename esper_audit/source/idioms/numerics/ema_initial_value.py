"""Initial values of moving averages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.source.idioms.numerics.ema_update import (
    averaged_code,
    ema_update,
    ema_updates,
    literal_number,
)
from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.file_view import FileView

ZEROS = frozenset({"zeros", "zeros_like", "new_zeros"})
ONES = frozenset({"ones", "ones_like", "new_ones"})
CONVERSIONS = frozenset({"clone", "cpu", "cuda", "double", "float", "to"})
WRAPPERS = frozenset({"tensor", "as_tensor", "array", "Parameter", "Buffer", "field"})
RESTORING_NAME = re.compile(r"load|restore|from_|set_extra_state|__setstate__")
NOT_FILLING = frozenset({"mul_", "requires_grad_", "detach_", "zero_"})
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def is_initialised_to_zero(average: str, scope: ast.AST, file: FileView) -> bool:
    """Return whether all initial values of an average are zero, in its scope or as a class field."""
    values = list(_initial_values(average, scope))
    if not values and "." in average:
        values = list(_field_defaults(average.rpartition(".")[2], file))
    return bool(values) and all(_is_full_of(value, ZEROS, 0) for value in values)


def has_counterpart_at_one(average: str, scope: ast.AST) -> bool:
    """Return whether a scope has another average that starts at one: (0, 1) is the identity."""
    others = {found.average for found in ema_updates(scope)} - {average}
    return any(
        _is_full_of(value, ONES, 1) for other in others for value in _initial_values(other, scope)
    )


def _initial_values(average: str, scope: ast.AST) -> Iterator[ast.expr]:
    """Yield the values written to an average, without updates and restored checkpoints."""
    pending = [scope]
    while pending:
        node = pending.pop()
        if not isinstance(node, FUNCTIONS) or not RESTORING_NAME.search(node.name):
            pending += children(node)
        if ema_update(node) is None:
            yield from _values_written(average, node)


def _field_defaults(field: str, file: FileView) -> Iterator[ast.expr]:
    """Yield the defaults of a field in all classes of the file."""
    for owner in file.nodes(ast.ClassDef):
        for statement in owner.body:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                yield from _values_written(field, statement)


def _values_written(average: str, node: ast.AST) -> Iterator[ast.expr]:
    """Yield the value that a node writes to an average or to a part of it."""
    if isinstance(node, ast.Assign):
        yield from (node.value for target in node.targets if average in _assigned_code(target))
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        values = [node.value] if node.value is not None else []
        yield from (value for value in values if average in _assigned_code(node.target))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if _is_registration(average, node):
            yield from node.args[1:2]
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "tensor")
        elif averaged_code(node.func.value) == average and _is_fill_method(node.func.attr):
            yield node


def _is_fill_method(method: str) -> bool:
    return method.endswith("_") and method not in NOT_FILLING


def _assigned_code(target: ast.expr) -> set[str]:
    parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
    entries = (part.value for part in parts if isinstance(part, ast.Subscript))
    return {averaged_code(part) for part in parts} | {averaged_code(entry) for entry in entries}


def _is_registration(average: str, call: ast.Call) -> bool:
    name = call.args[0] if call.args else None
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method != "register_buffer" or not isinstance(name, ast.Constant):
        return False
    return average == f"self.{name.value!s}"


def _is_full_of(value: ast.expr, factories: frozenset[str], literal: int) -> bool:
    """Return whether a value is a literal, a tensor full of it, or a conversion of one of these."""
    if not isinstance(value, ast.Call):
        return literal_number(value) == literal
    function = value.func
    name = function.attr if isinstance(function, ast.Attribute) else averaged_code(function)
    inner: Sequence[ast.expr] = ()
    if name in CONVERSIONS and isinstance(function, ast.Attribute):
        inner = [function.value]
    elif name in WRAPPERS:
        inner = [*value.args[:1], *(k.value for k in value.keywords if k.arg == "default")]
    return name in factories or any(_is_full_of(part, factories, literal) for part in inner)
