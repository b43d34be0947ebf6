"""The padding of a convolution or of `F.pad`."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.classes.file_classes import ClassFamily
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.names import Function, defaults, dotted, terminal_name

PADDING_POSITION = 4


def padding_of(node: ast.AST) -> ast.expr | None:
    """Return the padding of a call, None where it is none, zero or one-sided."""
    if not isinstance(node, ast.Call):
        return None
    name = terminal_name(node.func)
    if name == "pad":
        sides = (
            node.args[1].elts[:2]
            if len(node.args) > 1 and isinstance(node.args[1], ast.Tuple)
            else []
        )
        names = [{dotted(part) for part in ast.walk(side)} - {"", "self"} for side in sides]
        is_both = len(sides) == 2 and (names[0] & names[1] or is_even(node.args[1]))
        return node.args[1] if is_both and not any(_is_number(s, 0) for s in sides) else None
    given = [keyword.value for keyword in node.keywords if keyword.arg == "padding"]
    given += node.args[PADDING_POSITION : PADDING_POSITION + 1]
    kernel = [k.value for k in node.keywords if k.arg == "kernel_size"] + node.args[2:3]
    if not given or _is_number(given[0], 0) or any(_is_number(size, 1) for size in kernel):
        return None
    is_text = isinstance(given[0], ast.Constant) and given[0].value == "valid"
    return None if is_text or isinstance(given[0], ast.Tuple) else given[0]


def is_even(padding: ast.expr) -> bool:
    """Return whether a padding is the same on both sides of the last axis."""
    sides = padding.elts[:2] if isinstance(padding, ast.Tuple) else []
    return len({ast.unparse(side) for side in sides}) < 2


def is_padded_apart(padding: ast.expr, function: Function, family: ClassFamily) -> bool:
    """Return whether a padding is 0 by its value, set to 0 later, or given up for a call of `F.pad`."""
    for node in scan(function, {ast.Assign, ast.AnnAssign}):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {dotted(target) for target in targets} & {dotted(padding), "self.padding"}
        if _is_zero(node.value) and names - {""}:
            return True
    default = defaults(function.args).get(dotted(padding))
    calls = [c for m in family.members for c in scan(m.definition, {ast.Call})]
    is_padded = any(isinstance(c, ast.Call) and terminal_name(c.func) == "pad" for c in calls)
    return is_padded and default is not None and _is_zero(default)


def _is_zero(value: ast.expr) -> bool:
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    return all(_is_number(part, 0) for part in parts)


def _is_number(node: ast.expr, number: int) -> bool:
    return isinstance(node, ast.Constant) and node.value == number
