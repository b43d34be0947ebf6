"""Arguments that stand in for an omitted one without being read, as a flag beside them states."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.fallbacks.argument_defaults import Fallback, is_none
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, children, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters

NUMBERS = frozenset({"int", "float", "bool", "str"})
# What describes a tensor and holds none of its values, and the methods of containers that keep it.
DESCRIPTIONS = frozenset({"dtype", "device", "shape", "ndim", "layout", "itemsize", "names"})
KEEPING = frozenset({"append", "add", "put", "extend", "insert", "appendleft", "setdefault"})


def is_placeholder(function: Function, found: Fallback) -> bool:
    """Return whether what replaces a parameter is not read: a flag or a kernel decides, or it is a number.

    A flag is `x is None` or `x is not None` as a value: passed on, or kept in a variable. A kernel is
    what is called by `kernel[grid](...)`, which takes pointers, and not None.
    """
    annotations = {p.arg: p.annotation for p in parameters(function.args)}
    annotation = annotations.get(found.replacement)
    if annotation is not None and dotted(annotation) in NUMBERS:
        return True
    return found.parameter in _flagged(function) or _is_for_kernel(function, found)


def is_only_described(function: Function, found: Fallback, file: FileView) -> bool:
    """Return whether only the type, device or shape of what replaces a parameter is read, or it is kept."""
    names = {found.parameter, found.target} - {""}
    reads = [
        node
        for node in scan(function, {ast.Name}, NESTED_SCOPES)
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
    ]
    uses = [node for node in reads if not _is_question(node, file)]
    return bool(uses) and all(_is_described(node, file) for node in uses)


def _is_question(node: ast.Name, file: FileView) -> bool:
    """Return whether a read tests whether an argument is given, or replaces it."""
    above = file.parent(node)
    return isinstance(above, (ast.Compare, ast.IfExp, ast.BoolOp))


def _is_described(node: ast.Name, file: FileView) -> bool:
    """Return whether a read takes no value of a tensor: its description, or an item of a container."""
    above: ast.AST | None = file.parent(node)
    if isinstance(above, ast.Attribute):
        return above.attr in DESCRIPTIONS
    if isinstance(above, (ast.Tuple, ast.List)):
        above = file.parent(above)
    function = above.func if isinstance(above, ast.Call) else None
    if isinstance(function, ast.Attribute) and function.attr in KEEPING:
        return True
    name = dotted(function) if function is not None else ""
    return "namespace" in name or name.endswith("device")


def _flagged(function: Function) -> set[str]:
    """Return the names whose being None is a value, outside of the tests of branches."""
    tests = {
        part
        for node in scan(function, {ast.If, ast.IfExp, ast.While, ast.Assert}, NESTED_SCOPES)
        if isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert))
        for part in ast.walk(node.test)
    }
    compared = scan(function, {ast.Compare}, NESTED_SCOPES)
    return {
        dotted(node.left)
        for node in compared
        if isinstance(node, ast.Compare) and is_none(node.comparators[0]) and node not in tests
    }


def _is_for_kernel(function: Function, found: Fallback) -> bool:
    """Return whether the result of a replacement is an argument of a kernel."""
    names = {found.parameter, found.target} - {""}
    calls = (c for c in scan(function, {ast.Call}, NESTED_SCOPES) if isinstance(c, ast.Call))
    launches = (call for call in calls if isinstance(call.func, ast.Subscript))
    return any(not names.isdisjoint(_arguments(call)) for call in launches)


def _arguments(call: ast.Call) -> Iterator[str]:
    """Yield the names in the arguments of a call, those of `x if x is not None else y` included."""
    pending: list[ast.AST] = [*call.args, *(keyword.value for keyword in call.keywords)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.IfExp):
            pending += children(node)
