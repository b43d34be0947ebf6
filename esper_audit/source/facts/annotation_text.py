"""Annotations as text without layout, and parsed again."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache

from esper_audit.source.syntax.names import dotted


def annotation_text(node: ast.expr | None) -> str:
    """Return an annotation of names, subscripts and `|` without layout, empty for any other expression."""
    if node is None:
        return ""
    if isinstance(node, ast.Constant):
        return _constant(node)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return dotted(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return union_text((node.left, node.right))
    if isinstance(node, ast.Subscript):
        return _subscript(node)
    if isinstance(node, (ast.List, ast.Tuple)):
        return f"[{_listed(node.elts)}]"
    return ""


def union_text(alternatives: Iterable[ast.expr]) -> str:
    """Return the annotation of what is of one of several types."""
    return "|".join(annotation_text(alternative) or "Any" for alternative in alternatives)


@cache
def parsed_annotation(text: str) -> ast.expr | None:
    """Return an annotation that is written in a string, parsed, or None if it is no expression."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _constant(node: ast.Constant) -> str:
    if node.value is None or node.value is ...:
        return "None" if node.value is None else "..."
    inner = parsed_annotation(node.value) if isinstance(node.value, str) else None
    return annotation_text(inner)


def _subscript(node: ast.Subscript) -> str:
    outer = dotted(node.value)
    if outer.rpartition(".")[2] in ("Literal", ""):
        return outer
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return f"{outer}[{_listed(inside)}]"


def _listed(items: Iterable[ast.expr]) -> str:
    return ",".join(annotation_text(item) or "Any" for item in items)
