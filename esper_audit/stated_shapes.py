"""How many dimensions a docstring gives an argument, and how many the body unpacks from its shape."""

from __future__ import annotations

import ast
import re

from esper_audit.names import Function, dotted

SHAPE = re.compile(r"(?i)\bshape:?\s+(?:of\s+)?[`:math]*[(\[]([^()\[\]]*)[)\]]")
SEVERAL = re.compile(r"(?i)\bor\b|\.\.\.|\*|\.\.|\?")
SEPARATOR = re.compile(r",|\s[x×]\s")


def stated_rank(text: str) -> int | None:
    """Return the number of dimensions of the one shape that a text states; None if it is not plain."""
    shapes = SHAPE.findall(text) if "hape" in text else []
    if len(shapes) != 1 or SEVERAL.search(shapes[0]) or " or " in text:
        return None
    dimensions = [part for part in SEPARATOR.split(shapes[0]) if part.strip()]
    return len(dimensions) or None


def unpacked_rank(function: Function, name: str) -> int | None:
    """Return how many names a function unpacks from the shape of an argument, before it is rebound."""
    for statement in function.body:
        if isinstance(statement, ast.Assign) and _is_shape_of(statement.value, name):
            target = statement.targets[0]
            plain = isinstance(target, (ast.Tuple, ast.List)) and not any(
                isinstance(part, ast.Starred) for part in target.elts
            )
            return len(target.elts) if plain and isinstance(target, (ast.Tuple, ast.List)) else None
        if any(_may_change(node, name) for node in ast.walk(statement)):
            return None
    return None


def _is_shape_of(value: ast.expr, name: str) -> bool:
    if isinstance(value, ast.Call):
        return dotted(value.func) == f"{name}.size" and not value.args and not value.keywords
    return dotted(value) == f"{name}.shape"


def _may_change(node: ast.AST, name: str) -> bool:
    """Say whether a node rebinds a name, or leaves before what follows."""
    return isinstance(node, ast.Return) or (
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    )
