"""Axes of tensors: which axis of an operand is which axis of the result of an operation."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.numerics.ema_update import literal_number
from esper_audit.source.idioms.numerics.tensor_calls import TensorCall, tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import terminal_name

KEEPING_AXES = frozenset(
    {
        "to",
        "float",
        "half",
        "double",
        "bfloat16",
        "type",
        "type_as",
        "contiguous",
        "clone",
        "detach",
    }
    | {"masked_fill", "masked_fill_", "nan_to_num", "dropout", "identity", "clamp", "exp", "relu"}
    | {"tanh", "leaky_relu", "softmax", "div", "mul", "add", "sub"}
)
TRANSPOSING = frozenset({"transpose", "transpose_", "swapaxes", "swapdims"})
RANKS = {"bmm": 3, "baddbmm": 3, "mm": 2, "addmm": 2}
SHAPING = frozenset({"view", "reshape", "permute"})
PARTS = frozenset({"unbind", "chunk", "split", "tensor_split"})


def integer(node: ast.expr | None) -> int | None:
    """Return the value of an integer literal, also a negative one."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = integer(node.operand)
        return -inner if inner is not None else None
    value = literal_number(node) if node is not None else None
    return int(value) if value is not None and value == int(value) else None


def is_same_axis(one: int, other: int, rank: int | None) -> bool | None:
    """Return whether two axes of a tensor are the same, None if that depends on an unknown rank."""
    if (one < 0) == (other < 0):
        return one == other
    if {one, other} == {-1, 0}:
        return rank == 1 if rank else False  # weights have at least two axes
    return one % rank == other % rank if rank else None


class TensorAxes:
    """The ranks of tensors, and the operands of operations that move axes, in one file."""

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._origins = file.once(ValueOrigins)

    def rank(self, node: ast.expr, depth: int = 0) -> int | None:
        """Return the number of axes of a tensor, None if the operations around it do not show it."""
        if depth > 6:
            return None
        origins = self._origins.of(node, calls=0)
        ranks = {self._rank(origin, depth + 1) for origin in origins} - {None}
        return next(iter(ranks)) if len(ranks) == 1 else None

    def before(self, node: ast.expr, axis: int, rank: int | None) -> tuple[ast.expr, int] | None:
        """Return the operand of an operation and the axis of it that is `axis` of the result.

        None means that the operation moves the axis in an unknown way, or is no operation on one.
        """
        if isinstance(node, ast.Subscript):
            inserted = _inserted_axis(node)
            return _before_insertion(node.value, axis, inserted, rank)
        if isinstance(node, ast.Attribute) and node.attr in ("mT", "T"):
            return _before_swap(node.value, axis, (-2, -1), 2 if node.attr == "T" else rank)
        call = tensor_call(node, self._file)
        if call is None:
            kept = _dropped(node)
            return (kept, axis) if kept is not None else None
        if call.name in KEEPING_AXES - {"softmax"}:
            return call.subject, axis
        if call.name in TRANSPOSING:
            pair = integer(call.argument("dim0", 0)), integer(call.argument("dim1", 1))
            return _before_swap(call.subject, axis, pair, rank)
        if call.name == "permute":
            return _before_permutation(call, axis)
        if call.name == "unsqueeze":
            return _before_insertion(call.subject, axis, integer(call.argument("dim", 0)), rank)
        return None

    def _rank(self, node: ast.expr, depth: int) -> int | None:
        if isinstance(node, ast.Name):
            return self._rank_of_part(node, depth)
        if isinstance(node, ast.Subscript) and integer(node.slice) is not None:
            whole = self.rank(node.value, depth)
            return whole - 1 if whole else None
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.MatMult):
                return self.rank(node.left, depth) or self.rank(node.right, depth)
            found = [r for r in (self.rank(s, depth) for s in (node.left, node.right)) if r]
            return max(found, default=None)
        call = tensor_call(node, self._file)
        if call is None:
            kept = _dropped(node)
            return self.rank(kept, depth) if kept is not None else None
        if call.name in RANKS:
            return RANKS[call.name]
        if call.name == "unsqueeze":
            inner = self.rank(call.subject, depth)
            return inner + 1 if inner else None
        if call.name in SHAPING:
            shape = call.arguments
            is_plain = len(shape) > 1 and not any(isinstance(a, ast.Starred) for a in shape)
            return len(shape) if is_plain else None
        if call.name in KEEPING_AXES | TRANSPOSING:
            return self.rank(call.subject, depth)
        if call.name == "matmul" and call.arguments:
            return self.rank(call.subject, depth) or self.rank(call.arguments[0], depth)
        result = einsum_result(call.node, self._file)
        return len(result) if result and "..." not in result else None

    def _rank_of_part(self, name: ast.Name, depth: int) -> int | None:
        """Return the number of axes of `a` after `a, b = x.unbind(1)` or `a, b = x.chunk(2)`."""
        values = self._origins.values.reaching(name)
        value = values[0].value if len(values) == 1 and values[0].index is not None else None
        call = tensor_call(value, self._file) if value is not None else None
        if call is None or call.name not in PARTS:
            return None
        whole = self.rank(call.subject, depth)
        return whole - (call.name == "unbind") if whole else None


def einsum_terms(call: ast.Call, file: FileView) -> tuple[list[ast.expr], list[list[str]]] | None:
    """Return the operands of an einsum and the axes of each operand and of the result, last.

    The equation of torch has a letter for an axis, that of einops a word.
    """
    if terminal_name(call.func) not in ("einsum", "opt_einsum_contract") or len(call.args) < 2:
        return None
    is_first = isinstance(call.args[0], ast.Constant)
    equation, operands = (
        (call.args[0], call.args[1:]) if is_first else (call.args[-1], call.args[:-1])
    )
    if not isinstance(equation, ast.Constant) or not isinstance(equation.value, str):
        return None
    is_einops = not is_first or (file.resolve(call.func) or "").startswith("einops")
    left, arrow, right = equation.value.partition("->")
    if not arrow:
        return None
    parts = [*left.split(","), right]
    terms = [part.split() if is_einops else _letters(part) for part in parts]
    return (operands, terms) if len(terms) == len(operands) + 1 else None


def einsum_result(call: ast.Call, file: FileView) -> list[str]:
    """Return the axes of the result of an einsum, empty for another call."""
    found = einsum_terms(call, file)
    return found[1][-1] if found is not None else []


def _letters(part: str) -> list[str]:
    part = part.replace(" ", "")
    if "..." not in part:
        return list(part)
    before, _, after = part.partition("...")
    return [*before, "...", *after]


def _dropped(node: ast.expr) -> ast.expr | None:
    """Return the operand of `self.attn_drop(x)`."""
    if isinstance(node, ast.Call) and "drop" in terminal_name(node.func).lower() and node.args:
        return node.args[0]
    return None


def _inserted_axis(node: ast.Subscript) -> int | None:
    """Return the axis that `x[..., None]`, `x[:, None]` or `x[None]` inserts, None for other indexing."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    new = [
        i for i, part in enumerate(parts) if isinstance(part, ast.Constant) and part.value is None
    ]
    whole = [part for i, part in enumerate(parts) if i not in new]
    if len(new) != 1 or not all(map(_is_whole, whole)):
        return None
    has_rest = any(isinstance(part, ast.Constant) and part.value is ... for part in whole)
    return new[0] - len(parts) if has_rest else new[0]


def _is_whole(part: ast.expr) -> bool:
    if isinstance(part, ast.Slice):
        return part.lower is None and part.upper is None and part.step is None
    return isinstance(part, ast.Constant) and part.value is ...


def _before_swap(
    operand: ast.expr, axis: int, pair: tuple[int | None, int | None], rank: int | None
) -> tuple[ast.expr, int] | None:
    one, other = pair
    if one is None or other is None:
        return None
    for here, there in ((one, other), (other, one)):
        same = is_same_axis(axis, here, rank)
        if same is None:
            return None
        if same:
            return operand, there
    return operand, axis


def _before_permutation(call: TensorCall, axis: int) -> tuple[ast.expr, int] | None:
    order = [integer(argument) for argument in call.arguments]
    if len(order) < 2 or not -len(order) <= axis < len(order):
        return None
    source = order[axis]
    return (call.subject, source % len(order)) if source is not None else None


def _before_insertion(
    operand: ast.expr, axis: int, inserted: int | None, rank: int | None
) -> tuple[ast.expr, int] | None:
    """Return the axis before an axis was inserted. `rank` is that of the result."""
    if inserted is None:
        return None
    if (axis < 0) != (inserted < 0):
        if rank is None:
            # A new last axis moves no axis that is counted from the front.
            return (operand, axis) if axis >= 0 and inserted == -1 else None
        axis, inserted = axis % rank, inserted % rank
    if axis == inserted:
        return None
    if axis >= 0:
        return operand, axis - (axis > inserted)
    return operand, axis + (axis < inserted)


def numbered(terms: list[str], name: str) -> int | None:
    """Return the number of an axis of an einsum, from the end behind `...`."""
    if name not in terms:
        return None
    at = terms.index(name)
    rest = terms.index("...") if "..." in terms else len(terms)
    return at if at < rest else at - len(terms)
