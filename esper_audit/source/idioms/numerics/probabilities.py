"""Values that are probabilities, and the operations that only convert or select elements."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.numerics.ema_update import literal_number
from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.file_view import FileView

# Operations whose result has the elements of the operand, or some of them.
SELECTING = frozenset(
    {"to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda", "clone"}
    | {"detach", "contiguous", "squeeze", "unsqueeze", "view", "view_as", "reshape", "flatten"}
    | {"transpose", "permute", "t", "expand", "expand_as", "repeat", "gather", "index_select"}
    | {"take", "take_along_dim", "masked_select", "select", "narrow", "swapaxes", "movedim"}
    | {"chunk", "split", "unbind", "flip", "roll", "requires_grad_", "identity"}
)
DEEPEST = 3
PROBABILITIES = {
    "softmax": "a softmax",
    "softmax2d": "a softmax",
    "softmin": "a softmin",
    "sigmoid": "a sigmoid",
    "expit": "a sigmoid",
    "hardsigmoid": "a hard sigmoid",
}


def selected(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the operand of an operation that only converts, reorders or selects elements."""
    if isinstance(node, ast.Subscript):
        return node.value
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT", "data"):
        return node.value
    call = tensor_call(node, file)
    return call.subject if call is not None and call.name in SELECTING else None


def probability(node: ast.expr, file: FileView, depth: int = 0) -> str:
    """Return what makes an expression a probability that may be exactly 0, empty if nothing does."""
    for origin in file.once(ValueOrigins).of(node, selected):
        if isinstance(origin, ast.BinOp):
            is_complement = isinstance(origin.op, ast.Sub) and literal_number(origin.left) == 1
            is_open = is_complement and depth < DEEPEST
            found = probability(origin.right, file, depth + 1) if is_open else ""
            if found:
                return f"1 minus {found}"
        call = tensor_call(origin, file)
        if call is not None and call.name in PROBABILITIES:
            return PROBABILITIES[call.name]
    return ""
