"""What a running average is before its first update: every value that a scope gives it, and which are zero."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.source.idioms.numerics.ema_update import number, source, update, updates
from esper_audit.source.syntax.ast_walk import children
from esper_audit.source.syntax.file_view import FileView

ZEROS = frozenset({"zeros", "zeros_like", "new_zeros"})
ONES = frozenset({"ones", "ones_like", "new_ones"})
CONVERTS = frozenset({"clone", "cpu", "cuda", "double", "float", "to"})
WRAPS = frozenset({"tensor", "as_tensor", "array", "Parameter", "Buffer", "field"})
RESTORES = re.compile(r"load|restore|from_|set_extra_state|__setstate__")
LEAVES_IT = frozenset({"mul_", "requires_grad_", "detach_", "zero_"})
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def starts_at_zero(average: str, scope: ast.AST, file: FileView) -> bool:
    """Return whether an average is given zeros and nothing else, in its scope or as a field of the file."""
    values = list(_starts(average, scope))
    if not values and "." in average:
        values = list(_declared(average.rpartition(".")[2], file))
    return bool(values) and all(_is_full_of(value, ZEROS, 0) for value in values)


def has_twin_at_one(average: str, scope: ast.AST) -> bool:
    """Return whether a scope averages something else that starts at one: (0, 1) is the identity."""
    others = {found.average for found in updates(scope)} - {average}
    return any(_is_full_of(value, ONES, 1) for other in others for value in _starts(other, scope))


def _starts(average: str, scope: ast.AST) -> Iterator[ast.expr]:
    """Yield what is written to an average, but for its updates and what a checkpoint restores."""
    pending = [scope]
    while pending:
        node = pending.pop()
        if not isinstance(node, FUNCTIONS) or not RESTORES.search(node.name):
            pending += children(node)
        if update(node) is None:
            yield from _written(average, node)


def _declared(field: str, file: FileView) -> Iterator[ast.expr]:
    """Yield the defaults of a field, in whatever class of the file declares it."""
    for owner in file.nodes(ast.ClassDef):
        for statement in owner.body:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                yield from _written(field, statement)


def _written(average: str, node: ast.AST) -> Iterator[ast.expr]:
    """Yield the value that one node writes to an average, wholly or in part."""
    if isinstance(node, ast.Assign):
        yield from (node.value for target in node.targets if average in _places(target))
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        values = [node.value] if node.value is not None else []
        yield from (value for value in values if average in _places(node.target))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if _registers(average, node):
            yield from node.args[1:2]
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "tensor")
        elif source(node.func.value) == average and _fills(node.func.attr):
            yield node


def _fills(method: str) -> bool:
    return method.endswith("_") and method not in LEAVES_IT


def _places(target: ast.expr) -> set[str]:
    parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
    entries = (part.value for part in parts if isinstance(part, ast.Subscript))
    return {source(part) for part in parts} | {source(entry) for entry in entries}


def _registers(average: str, call: ast.Call) -> bool:
    name = call.args[0] if call.args else None
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method != "register_buffer" or not isinstance(name, ast.Constant):
        return False
    return average == f"self.{name.value!s}"


def _is_full_of(value: ast.expr, factories: frozenset[str], literal: int) -> bool:
    """Return whether a value is a number, a tensor full of it, or one of these converted or wrapped."""
    if not isinstance(value, ast.Call):
        return number(value) == literal
    function = value.func
    name = function.attr if isinstance(function, ast.Attribute) else source(function)
    inner: Sequence[ast.expr] = ()
    if name in CONVERTS and isinstance(function, ast.Attribute):
        inner = [function.value]
    elif name in WRAPS:
        inner = [*value.args[:1], *(k.value for k in value.keywords if k.arg == "default")]
    return name in factories or any(_is_full_of(part, factories, literal) for part in inner)
