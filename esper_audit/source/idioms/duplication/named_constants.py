"""The constants that a file names, and literals in it that say the same without the name."""

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
    """A constant of a module: its name without a leading underscore, the code of its value, its statement."""

    name: str
    written: str
    node: ast.Assign | ast.AnnAssign
    value: ast.expr


def named_values(tree: ast.Module) -> list[NamedValue]:
    """Return the constants of a module whose value nobody chooses twice by chance."""
    found: list[NamedValue] = []
    for node in tree.body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and CONSTANT.match(target.id) and is_telling(node.value):
            name = target.id.removeprefix("_")
            found.append(NamedValue(name, ast.unparse(node.value), node, node.value))
    return found


def unnamed(
    tree: ast.Module, values: list[NamedValue]
) -> Iterator[tuple[ast.Constant, NamedValue]]:
    """Yield the literals in functions and classes that equal a constant of the module."""
    by_value = {named.written: named for named in values if isinstance(named.value, ast.Constant)}
    pending = (
        [*scan(tree, {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})] if by_value else []
    )
    seen: set[ast.AST] = set()
    while pending:
        node = pending.pop()
        if node in seen or isinstance(node, ast.JoinedStr) or _is_text(node):
            continue
        seen.add(node)
        pending += children(node)
        if isinstance(node, ast.Constant) and (named := by_value.get(ast.unparse(node))):
            yield node, named


def is_telling(value: ast.expr) -> bool:
    """Return whether a literal is one that two people do not arrive at independently."""
    if isinstance(value, (ast.Tuple, ast.List, ast.Set)):
        literal = all(isinstance(part, ast.Constant) for part in value.elts)
        return literal and any(is_telling(part) for part in value.elts)
    if isinstance(value, ast.UnaryOp):
        return is_telling(value.operand)
    held = value.value if isinstance(value, ast.Constant) else None
    if isinstance(held, str):
        # A plain word is in the dictionary.
        return len(held) >= SHORTEST_TEXT and not held.isalpha() and held.isprintable()
    if isinstance(held, float):
        return len(repr(held).partition("e")[0].replace(".", "").strip("0")) >= FEWEST_DIGITS
    is_round = isinstance(held, int) and (held.bit_count() == 1 or held % SMALLEST_NUMBER == 0)
    return isinstance(held, int) and held >= SMALLEST_NUMBER and not is_round


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
