"""Whether code computes with a number, so that 0 is one of its values."""

from __future__ import annotations

import ast

from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import text_of

PLACES = (ast.Name, ast.Attribute)


def is_computed_with(node: ast.expr, name: ast.expr, file: FileView) -> bool:
    """Return whether code of the file computes with a value, or compares the name behind it with 0.

    The value is an operand itself, or is kept under a name or attribute that is one.
    """
    if isinstance(file.parent(node), ast.BinOp):
        return True
    statement = file.enclosing(node)[-1]
    targets: list[ast.expr] = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    held = {text_of(target) for target in targets if isinstance(target, PLACES)}
    operands = (part for pair in file.nodes(ast.BinOp) for part in (pair.left, pair.right))
    if any(isinstance(part, PLACES) and text_of(part) in held for part in operands):
        return True
    return any(_is_floor(compared, text_of(name)) for compared in file.nodes(ast.Compare))


def _is_floor(compared: ast.Compare, name: str) -> bool:
    """Return whether a comparison is `name < 0`."""
    right = compared.comparators[0]
    is_zero = isinstance(right, ast.Constant) and right.value == 0
    return text_of(compared.left) == name and is_zero and isinstance(compared.ops[0], ast.Lt)
