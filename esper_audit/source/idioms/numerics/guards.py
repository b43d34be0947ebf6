"""Calls and conditions that keep a value finite."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.enclosing import FUNCTION_TYPES
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

LEAVING = (ast.Return, ast.Raise)
BOUNDING = re.compile(
    r"^(clamp\w*|clip_?|where|nan_to_num_?|masked_fill_?|minimum|maximum|min|max)$"
)
REPLACING = re.compile(r"^(where|nan_to_num_?|masked_fill_?|isfinite|isnan|isinf)$")


def calls_around(node: ast.AST, file: FileView) -> Iterator[ast.Call]:
    """Yield the calls of the same statement that a node is an operand of, the innermost first."""
    above = file.parent(node)
    while above is not None and not isinstance(above, ast.stmt):
        if isinstance(above, ast.Call):
            yield above
        above = file.parent(above)


def is_replaced(node: ast.expr, file: FileView) -> bool:
    """Return whether a call around a node replaces what is infinite or NaN."""
    return any(REPLACING.search(terminal_name(call.func)) for call in calls_around(node, file))


def is_bounded(node: ast.expr, file: FileView) -> bool:
    """Return whether a call around a node bounds its value."""
    return any(BOUNDING.search(terminal_name(call.func)) for call in calls_around(node, file))


def is_bounded_above(node: ast.expr, file: FileView) -> bool:
    """Return whether a call around a node bounds its value, and not from below alone."""
    return any(
        BOUNDING.search(name := terminal_name(call.func))
        and not name.startswith(("clamp_min", "maximum"))
        and {k.arg for k in call.keywords} != {"min"}
        for call in calls_around(node, file)
    )


def has_bound(node: ast.expr) -> bool:
    """Return whether a part of an expression bounds its value."""
    calls = (part for part in walk(node) if isinstance(part, ast.Call))
    return any(BOUNDING.search(terminal_name(call.func)) for call in calls)


def tests_around(node: ast.expr | ast.stmt, file: FileView) -> Iterator[ast.expr]:
    """Yield the conditions that decide about a node, and those above it that leave its function."""
    above: ast.AST | None = node
    while above is not None and not isinstance(above, FUNCTION_TYPES):
        if isinstance(above, (ast.If, ast.IfExp, ast.While)):
            yield above.test
        above = file.parent(above)
    body = above.body if above is not None else []
    yield from (s.test for s in body if isinstance(s, ast.Assert))
    exits = (s for s in body if isinstance(s, ast.If) and isinstance(s.body[-1], LEAVING))
    yield from (exit_.test for exit_ in exits)


def is_compared(node: ast.expr, file: FileView) -> bool:
    """Return whether the function around a name compares it with anything but None."""
    functions, name = file.functions(node), dotted(node)
    if not functions or not name:
        return False
    found = (part for part in scan(functions[-1], {ast.Compare}) if isinstance(part, ast.Compare))
    compared = (part for part in found if not isinstance(part.ops[0], (ast.Is, ast.IsNot)))
    return any(dotted(below) == name for part in compared for below in walk(part))
