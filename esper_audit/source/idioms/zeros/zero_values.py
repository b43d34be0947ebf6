"""Values that are never negative and may be exactly zero."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.numerics.ema_update import literal_number
from esper_audit.source.idioms.numerics.probabilities import PROBABILITIES, SELECTING, probability
from esper_audit.source.idioms.numerics.tensor_calls import (
    TensorCall,
    enclosing_family,
    tensor_call,
)
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins, first_reason
from esper_audit.source.syntax.ast_walk import names_in
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, parameters, text_of

DEEPEST = 8
REDUCTIONS = frozenset(
    {"sum", "mean", "nansum", "nanmean", "amax", "max", "min", "amin"}
    | {"adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"}
    | {"avg_pool1d", "avg_pool2d", "avg_pool3d"}
)
LEARNED_POWER = "a learned power of a relu"
# What operations return a value that is 0 where their operand vanishes.
VANISHING = {
    "square": "a square",
    "mse_loss": "a mean squared error",
}


def zero_reason(node: ast.expr, file: FileView, depth: int = 0) -> str:
    """Return what makes a value non-negative with an exact 0 among its values, empty if unknown."""
    return "" if depth > DEEPEST else first_reason(node, file, depth, _reason)


def _reason(node: ast.expr, file: FileView, depth: int) -> str:
    if isinstance(node, ast.BinOp):
        return _of_arithmetic(node, file, depth) or probability(node, file)
    if isinstance(node, ast.Subscript):
        return zero_reason(node.value, file, depth)
    call = tensor_call(node, file)
    if call is None:
        return ""
    if call.name in VANISHING:
        return VANISHING[call.name]
    if call.name in PROBABILITIES:
        return PROBABILITIES[call.name]
    if call.name == "pow":
        return _of_power(call.subject, call.argument("exponent", 0), file)
    if call.name in ("clamp", "clip", "clamp_min"):
        return _of_clamp(call)
    is_one_operand = call.name in REDUCTIONS or call.name in SELECTING
    return zero_reason(call.subject, file, depth) if is_one_operand else ""


def _of_power(base: ast.expr, exponent: ast.expr | None, file: FileView) -> str:
    if exponent is not None and is_learned(exponent, file):
        return LEARNED_POWER if _is_cut_at_zero(base, file) else ""
    return "a square" if _is_even(exponent) else ""


def is_learned(node: ast.expr, file: FileView) -> bool:
    """Return whether a value is a parameter that the object learns."""
    family = enclosing_family(node, file)
    owner, _, name = dotted(node).partition(".")
    if family is None or owner != "self":
        return False
    made = [use.value for use in family.bindings(name)]
    return bool(made) and all(
        isinstance(call, ast.Call) and file.resolve(call.func) == "torch.nn.Parameter"
        for call in made
    )


def _is_cut_at_zero(node: ast.expr, file: FileView) -> bool:
    for origin in file.once(ValueOrigins).of(node):
        call = tensor_call(origin, file)
        if call is not None and (call.name == "relu" or _of_clamp(call)):
            return True
    return False


def _of_arithmetic(node: ast.BinOp, file: FileView, depth: int) -> str:
    if isinstance(node.op, ast.Pow) and is_learned(node.right, file):
        return _of_power(node.left, node.right, file)
    is_own_product = isinstance(node.op, ast.Mult) and text_of(node.left) == text_of(node.right)
    if isinstance(node.op, ast.Pow) or is_own_product:
        # A number of the object, such as `self.scale**2`, is no tensor that vanishes.
        is_setting = dotted(node.left).startswith("self.") or _is_number(node.left, file)
        is_square = is_own_product or _is_even(node.right)
        return "a square" if is_square and not is_setting else ""
    left = zero_reason(node.left, file, depth)
    if isinstance(node.op, ast.Div):
        return left
    right = zero_reason(node.right, file, depth)
    if isinstance(node.op, ast.Mult):
        is_scaled = _is_positive(node.left) or _is_positive(node.right)
        return (left or right) if is_scaled or (left and right) else ""
    return left if isinstance(node.op, ast.Add) and left and right else ""


def _is_number(node: ast.expr, file: FileView) -> bool:
    """Return whether an expression is computed from parameters that are declared as numbers."""
    names = names_in(node)
    declared = {
        p.arg
        for function in file.functions(node)
        for p in parameters(function.args)
        if p.annotation is not None and text_of(p.annotation) in ("int", "float")
    }
    return bool(names) and names <= declared


def _of_clamp(call: TensorCall) -> str:
    lowest = call.argument("min", 0) if call.name.startswith("cl") else None
    return "a clamp at 0" if lowest is not None and literal_number(lowest) == 0 else ""


def _is_even(node: ast.expr | None) -> bool:
    value = literal_number(node) if node is not None else None
    return value is not None and value > 0 and value % 2 == 0


def _is_positive(node: ast.expr) -> bool:
    value = literal_number(node)
    return value is not None and value > 0
