"""Positions that are counted from a known number: `arange(n) + 1`, the number of a loop."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.numerics.ema_update import literal_number
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import dotted, terminal_name

ARRAYS = frozenset({"torch.arange", "numpy.arange", "jax.numpy.arange"})
KEEPING = frozenset(
    {"float", "double", "to", "astype", "type_as", "view", "reshape", "unsqueeze", "expand"}
    | {"cuda", "cpu", "long", "int", "clone", "detach", "contiguous", "squeeze"}
)
NUMBERED = frozenset({"enumerate", "range"})
DEEPEST = 6
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


def first_position(node: ast.expr, file: FileView, depth: int = 0) -> float | None:
    """Return the first number of what counts upwards, None for what is no such count."""
    number = _loop_start(node, file) if isinstance(node, ast.Name) else None
    if number is not None or depth > DEEPEST:
        return number
    origins = file.once(ValueOrigins).of(node, _kept)
    if len(origins) != 1:
        return None
    origin = origins[0]
    if isinstance(origin, ast.Name):
        return _loop_start(origin, file)
    if isinstance(origin, ast.Call):
        is_array = file.resolve(origin.func) in ARRAYS
        return _start(origin, 1) if is_array else None
    if not isinstance(origin, ast.BinOp) or not isinstance(origin.op, (ast.Add, ast.Sub)):
        return None
    return _shifted(origin, file, depth + 1)


def _shifted(node: ast.BinOp, file: FileView, depth: int) -> float | None:
    """Return the first number of a count to which a literal number is added, or taken from."""
    added = literal_number(node.right)
    if added is not None:
        first = first_position(node.left, file, depth)
        sign = 1 if isinstance(node.op, ast.Add) else -1
        return first + sign * added if first is not None else None
    added = literal_number(node.left)
    first = first_position(node.right, file, depth) if isinstance(node.op, ast.Add) else None
    return first + added if first is not None and added is not None else None


def _kept(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the operand of what converts or reshapes, and of an index that only adds axes."""
    if isinstance(node, ast.Subscript):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return node.value if all(map(_is_axis, parts)) else None
    is_method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    if not is_method or file.resolve(node.func) is not None:  # type: ignore[attr-defined]  # a call
        return None
    function = node.func  # type: ignore[attr-defined]  # a call of a method
    return function.value if function.attr in KEEPING else None


def _is_axis(part: ast.expr) -> bool:
    """Return whether a part of an index is None, an ellipsis or a whole slice."""
    if isinstance(part, ast.Slice):
        return part.lower is None and part.step is None
    return isinstance(part, ast.Constant) and part.value in (None, ...)


def _start(call: ast.Call, fewest: int) -> float | None:
    """Return where a call begins to count: 0 with one number, the literal start with more."""
    given = [k.value for k in call.keywords if k.arg == "start"]
    given += call.args[:1] if len(call.args) > fewest else []
    is_open = any(isinstance(a, ast.Starred) for a in call.args)
    if is_open or any(k.arg is None for k in call.keywords):
        return None
    return literal_number(given[0]) if given else 0


def _loop_start(name: ast.Name, file: FileView) -> float | None:
    """Return the first value of the variable of a loop over `range` or `enumerate`."""
    values = file.once(FunctionValues).reaching(name)
    loop = values[0].statement if len(values) == 1 else None
    if isinstance(loop, (ast.For, ast.AsyncFor)):
        return _numbered(loop.target, loop.iter, name.id)
    above: ast.AST | None = file.parent(name) if not values else None
    while above is not None and not isinstance(above, ast.stmt):
        for part in above.generators if isinstance(above, COMPREHENSIONS) else ():
            first = _numbered(part.target, part.iter, name.id)
            if first is not None:
                return first
        above = file.parent(above)
    return None


def _numbered(target: ast.expr, iterated: ast.expr, name: str) -> float | None:
    if not isinstance(iterated, ast.Call) or dotted(iterated.func) not in NUMBERED:
        return None
    if terminal_name(iterated.func) == "range":
        return _start(iterated, 1) if dotted(target) == name else None
    is_number = isinstance(target, ast.Tuple) and dotted(target.elts[0]) == name
    if not is_number:
        return None
    given = [*iterated.args[1:], *(k.value for k in iterated.keywords)]
    return literal_number(given[0]) if given else 0
