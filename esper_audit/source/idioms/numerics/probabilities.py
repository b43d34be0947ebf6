"""Values that are probabilities, and the operations that only convert or select elements."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.numerics.ema_update import literal_number
from esper_audit.source.idioms.numerics.tensor_calls import tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins, passed_arguments
from esper_audit.source.syntax.file_view import FileView

# Operations whose result has the elements of the operand, or some of them.
SELECTING = frozenset(
    {"to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda", "clone"}
    | {"detach", "contiguous", "squeeze", "unsqueeze", "view", "view_as", "reshape", "flatten"}
    | {"transpose", "permute", "t", "expand", "expand_as", "repeat", "gather", "index_select"}
    | {"take", "take_along_dim", "masked_select", "select", "narrow", "swapaxes", "movedim"}
    | {"chunk", "split", "unbind", "flip", "roll", "requires_grad_", "identity"}
)
LOG_PROBABILITIES = frozenset({"log_softmax", "logsigmoid"})
LOSSES = frozenset(
    {"cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "nll_loss"}
    | {"softplus"}
)
EXPONENTIAL = "the exponential of a log-probability"
DEEPEST = 4
PROBABILITIES = {
    "softmax": "a softmax",
    "softmax2d": "a softmax",
    "softmin": "a softmin",
    "sigmoid": "a sigmoid",
    "expit": "a sigmoid",
    "hardsigmoid": "a hard sigmoid",
}
UNDERFLOWING = frozenset({"a softmax", "a sigmoid"})


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
    if depth > DEEPEST:
        return ""
    found = (
        _probability(origin, file, depth + 1)
        for origin in file.once(ValueOrigins).of(node, selected)
    )
    return next((kind for kind in found if kind), "")


def _probability(origin: ast.expr, file: FileView, depth: int) -> str:
    if isinstance(origin, ast.Name):
        passed = passed_arguments(origin, file)
        return next((kind for each in passed if (kind := probability(each, file, depth))), "")
    if isinstance(origin, ast.BinOp) and isinstance(origin.op, ast.Div):
        # The logarithm of a quotient of two is that of each.
        is_quotient = probability(origin.right, file, depth) in UNDERFLOWING
        found = probability(origin.left, file, depth) if is_quotient else ""
        return found if found in UNDERFLOWING else ""
    if isinstance(origin, ast.BinOp):
        is_complement = isinstance(origin.op, ast.Sub) and literal_number(origin.left) == 1
        found = probability(origin.right, file, depth) if is_complement else ""
        return f"1 minus {found}" if found else ""
    call = tensor_call(origin, file)
    if call is None:
        return ""
    if call.name == "exp":
        return EXPONENTIAL if _is_negative(call.subject, file) else ""
    return PROBABILITIES.get(call.name, "")


def _is_negative(node: ast.expr, file: FileView) -> bool:
    """Return whether an exponent is a log-probability: of `log_softmax`, or the negative of a loss."""
    for origin in file.once(ValueOrigins).of(node, selected):
        is_negated = isinstance(origin, ast.UnaryOp) and isinstance(origin.op, ast.USub)
        operand = origin.operand if isinstance(origin, ast.UnaryOp) else origin
        names = LOSSES if is_negated else LOG_PROBABILITIES
        for source in file.once(ValueOrigins).of(operand, selected):
            call = tensor_call(source, file)
            if call is not None and call.name in names:
                return True
    return False
