"""The padding of a convolution or of `F.pad`."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.classes.file_classes import ClassFamily
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, dotted, terminal_name

PADDING_POSITION = 4
LAYERS = frozenset({"ConstantPad1d", "ZeroPad1d", "ReflectionPad1d", "ReplicationPad1d"})


def padding_of(node: ast.AST) -> ast.expr | None:
    """Return the padding of a call, None where it is none, zero or one-sided."""
    if not isinstance(node, ast.Call):
        return None
    name = terminal_name(node.func)
    if name == "pad":
        return _of_both_sides(node.args[1]) if len(node.args) > 1 else None
    if name in LAYERS:
        given = [k.value for k in node.keywords if k.arg == "padding"] + node.args[:1]
        is_given = bool(given) and not _is_number(given[0], 0)
        return (_of_both_sides(given[0]) or _single(given[0])) if is_given else None
    given = [keyword.value for keyword in node.keywords if keyword.arg == "padding"]
    given += node.args[PADDING_POSITION : PADDING_POSITION + 1]
    kernel = [k.value for k in node.keywords if k.arg == "kernel_size"] + node.args[2:3]
    if not given or _is_number(given[0], 0) or any(_is_number(size, 1) for size in kernel):
        return None
    is_text = isinstance(given[0], ast.Constant) and given[0].value == "valid"
    return None if is_text or isinstance(given[0], ast.Tuple) else given[0]


def _of_both_sides(padding: ast.expr) -> ast.expr | None:
    """Return a pair of amounts of which none is 0, None for any other padding."""
    sides = padding.elts[:2] if isinstance(padding, ast.Tuple) else []
    is_both = len(sides) == 2 and not any(_is_number(s, 0) for s in sides)
    return padding if is_both else None


def _single(padding: ast.expr) -> ast.expr | None:
    return None if isinstance(padding, ast.Tuple) else padding


def is_of_one_amount(padding: ast.expr, file: FileView) -> bool:
    """Return whether both sides of a padding come from one amount."""
    sides = padding.elts[:2] if isinstance(padding, ast.Tuple) else []
    names = [{dotted(part) for part in ast.walk(side)} - {"", "self"} for side in sides]
    is_shared = len(sides) == 2 and bool(names[0] & names[1])
    return is_shared or is_even(padding) or is_split(padding, file)


def is_split(padding: ast.expr, file: FileView) -> bool:
    """Return whether a padding is one amount of which each side has its half, or the rest of that."""
    sides = padding.elts[:2] if isinstance(padding, ast.Tuple) else []
    origins = [[s, *file.once(ValueOrigins).of(s, calls=0)] for s in sides]
    if len(origins) != 2:
        return False
    halves = [any(map(_is_half, side)) for side in origins]
    one, other = ({ast.unparse(o) for o in side} for side in origins)
    is_rest = any(_subtracts(o, one) for o in origins[1]) or any(
        _subtracts(o, other) for o in origins[0]
    )
    return all(halves) or (any(halves) and is_rest)


def _is_half(node: ast.expr) -> bool:
    if not isinstance(node, ast.BinOp):
        return False
    halves = ((ast.FloorDiv, 2), (ast.RShift, 1))
    return any(isinstance(node.op, op) and _is_number(node.right, by) for op, by in halves)


def _subtracts(node: ast.expr, texts: set[str]) -> bool:
    is_difference = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)
    return is_difference and ast.unparse(node.right) in texts  # type: ignore[attr-defined]  # an operation


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
