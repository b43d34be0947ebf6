"""The named constants of a module, and the literals in it that repeat their values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import children, scan

CONSTANT = re.compile(r"^_?[A-Z][A-Z0-9_]{2,}$")
SHORTEST_TEXT = 8
SMALLEST_NUMBER = 1000
FEWEST_DIGITS = 3


class NamedValue(NamedTuple):
    """A constant of a module: its name without a leading underscore, its value as code, its nodes."""

    name: str
    code: str
    node: ast.Assign | ast.AnnAssign
    value: ast.expr


def named_values(tree: ast.Module) -> list[NamedValue]:
    """Return the constants of a module that have a distinctive value."""
    found: list[NamedValue] = []
    for node in tree.body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if (
            isinstance(target, ast.Name)
            and CONSTANT.match(target.id)
            and is_distinctive(node.value)
        ):
            name = target.id.removeprefix("_")
            found.append(NamedValue(name, ast.unparse(node.value), node, node.value))
    return found


def repeated_literals(
    tree: ast.Module, values: list[NamedValue]
) -> Iterator[tuple[ast.Constant, NamedValue]]:
    """Yield the literals in functions and classes that equal a constant of the module."""
    by_value = {named.code: named for named in values if isinstance(named.value, ast.Constant)}
    pending = (
        [*scan(tree, {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})] if by_value else []
    )
    seen: set[ast.AST] = set()
    while pending:
        node = pending.pop()
        if node in seen or isinstance(node, ast.JoinedStr) or _is_string_statement(node):
            continue
        seen.add(node)
        pending += children(node)
        if isinstance(node, ast.Constant) and (named := by_value.get(ast.unparse(node))):
            yield node, named


def is_distinctive(value: ast.expr) -> bool:
    """Return whether a literal is unlikely to be written twice independently."""
    if isinstance(value, (ast.Tuple, ast.List, ast.Set)):
        literal = all(isinstance(part, ast.Constant) for part in value.elts)
        return literal and any(is_distinctive(part) for part in value.elts)
    if isinstance(value, ast.UnaryOp):
        return is_distinctive(value.operand)
    content = value.value if isinstance(value, ast.Constant) else None
    if isinstance(content, str):
        # A plain word may occur for many reasons.
        return len(content) >= SHORTEST_TEXT and not content.isalpha() and content.isprintable()
    if isinstance(content, float):
        return len(repr(content).partition("e")[0].replace(".", "").strip("0")) >= FEWEST_DIGITS
    is_round = isinstance(content, int) and (
        content.bit_count() == 1 or content % SMALLEST_NUMBER == 0
    )
    return isinstance(content, int) and content >= SMALLEST_NUMBER and not is_round


def _is_string_statement(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
