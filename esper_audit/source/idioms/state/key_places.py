"""Where the body of a function spells a key, and which keys it spells under a condition."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan, walk
from esper_audit.source.syntax.names import Function

CONDITIONAL = frozenset(
    {ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.TryStar, ast.Match, ast.ExceptHandler}
)


def key_place(key: str, function: Function) -> ast.Constant | ast.keyword | None:
    """Return the first place at which a body spells a key, as a string or as a keyword."""
    parts = {part for node in _body_nodes(function) for part in _literal_parts(node)}
    places: list[ast.Constant | ast.keyword] = [
        node
        for node in _body_nodes(function)
        if (isinstance(node, ast.Constant) and node.value == key and node not in parts)
        or (isinstance(node, ast.keyword) and node.arg == key)
    ]
    return min(places, key=lambda node: (node.lineno, node.col_offset), default=None)


def conditional_keys(function: Function) -> frozenset[str]:
    """Return the strings and keywords that a body spells only on some of its paths."""
    inside = {
        part
        for node in scan(function, CONDITIONAL | NESTED_SCOPES)
        if node is not function
        for part in walk(node)
    }
    found = {n.value for n in inside if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return frozenset(found | {n.arg for n in inside if isinstance(n, ast.keyword) and n.arg})


def _body_nodes(function: Function) -> Iterator[ast.AST]:
    return (node for statement in function.body for node in walk(statement))


def _literal_parts(node: ast.AST) -> list[ast.expr]:
    """Return the parts of an f-string: its literal texts and its replacement fields."""
    return node.values if isinstance(node, ast.JoinedStr) else []
