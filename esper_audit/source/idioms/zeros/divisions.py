"""Divisions by a value, directly, through a name, or through the function that returns it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.numerics.value_origins import called_function
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted


def divisions(node: ast.expr, file: FileView, calls: int = 1) -> Iterator[ast.BinOp]:
    """Yield the divisions by a value, directly, through a name or by a call of the function that returns it."""
    above, below = file.parent(node), node
    while isinstance(above, (ast.Attribute, ast.Call, ast.Subscript)):
        if isinstance(above, ast.Subscript) and _is_cut(above):
            return
        above, below = file.parent(above), above  # type: ignore[assignment]  # an expression
    functions = file.functions(node)
    if isinstance(above, ast.BinOp) and isinstance(above.op, ast.Div) and above.right is below:
        if not _is_replaced_later(above, file):
            yield above
    elif isinstance(above, ast.Return) and calls and functions:
        for call in file.calls(functions[-1].name):
            if called_function(call, file) is functions[-1]:
                yield from divisions(call, file, calls - 1)
    elif isinstance(above, ast.Assign) and isinstance(above.targets[0], ast.Name) and functions:
        name = above.targets[0].id
        if _is_item_assigned(name, functions[-1]):
            return
        for part in walk(functions[-1]):
            is_division = isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div)
            if isinstance(part, ast.BinOp) and is_division and dotted(part.right) == name:
                yield part


def _is_cut(node: ast.Subscript) -> bool:
    """Return whether an index leaves out the beginning."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return any(isinstance(part, ast.Slice) and part.lower is not None for part in parts)


def _is_replaced_later(division: ast.BinOp, file: FileView) -> bool:
    """Return whether the beginning of a quotient is left out, or an item of it is assigned below."""
    above = file.parent(division)
    if isinstance(above, ast.Subscript) and _is_cut(above):
        return True
    statement, functions = file.enclosing(division)[-1], file.functions(division)
    is_kept = isinstance(statement, ast.Assign) and bool(functions)
    name = dotted(statement.targets[0]) if isinstance(statement, ast.Assign) and is_kept else ""
    return bool(name) and _is_item_assigned(name, functions[-1])


def _is_item_assigned(name: str, function: ast.AST) -> bool:
    items = (part for part in walk(function) if isinstance(part, ast.Subscript))
    return any(dotted(i.value) == name and isinstance(i.ctx, ast.Store) for i in items)
