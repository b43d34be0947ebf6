"""Softmaxes whose result is summed: over which axis they normalise, and over which the sum runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.attention.axes import (
    KEEPING_AXES,
    TensorAxes,
    integer,
    is_same_axis,
)
from esper_audit.source.idioms.attention.contractions import Contraction, is_product
from esper_audit.source.idioms.numerics.tensor_calls import TensorCall, own_module, tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

DEEPEST = 8
MOVING = (ast.Call, ast.Subscript, ast.Attribute)
LEGACY_DIMS = {1: 0, 2: 1, 3: 0, 4: 1}
EXCHANGES = frozenset({"T", "mT", "t", "transpose", "permute", "swapaxes", "bmm", "einsum"})
LOGARITHMS = frozenset({"log", "log_softmax", "logsigmoid", "softmax", "one_hot"})
LINEAR = "torch.nn.Linear"
CONVOLUTIONS = frozenset({"torch.nn.Conv1d", "torch.nn.Conv2d", "torch.nn.Conv3d"})


class Normalisation(NamedTuple):
    """A softmax with its axis, that axis in the operand of the sum, and the axis that is summed."""

    softmax: ast.Call
    axis: int
    axis_of_operand: int
    summed_axis: int


class TracedSoftmax(NamedTuple):
    """A softmax that an operand comes from, and which of its axes an axis of the operand is."""

    call: TensorCall
    axis: int
    rank: int | None


def normalisation_of(contraction: Contraction, file: FileView) -> Normalisation | None:
    """Return the softmax of the operand of a sum if its axis is none of those that are summed."""
    if not contraction.axes:
        return None
    traces = [_traced(contraction, axis, file) for axis in contraction.axes]
    if not all(traces):
        return None
    softmax = traces[0][0].call
    if "dims" in softmax.keywords or "axes" in softmax.keywords:
        # No keyword of torch: the axis that is meant is another than the default.
        return None
    rank = next((t.rank for found in traces for t in found if t.rank), None)
    dim = _dim(softmax, rank)
    if dim is None or len({t.call.node for found in traces for t in found}) != 1:
        return None
    if any(is_same_axis(found[0].axis, dim, rank) is not False for found in traces):
        return None
    is_unknown = dim == 0 and rank is None and any(found[0].axis == -1 for found in traces)
    if is_unknown and not contraction.names and not _has_axes(softmax, file):
        return None
    names = (n for n in contraction.names if _is_at(contraction, n, dim, rank, file))
    own = next(names, dim)
    is_batch = own == 0 and 0 in contraction.shared
    if not (is_batch or _is_scored(softmax, contraction, file)):
        return None
    if _is_renormalised(softmax, file) or _is_routing(softmax, file):
        return None
    return Normalisation(softmax.node, dim, own, traces[0][0].axis)


def _has_axes(softmax: TensorCall, file: FileView) -> bool:
    """Return whether what is normalised has several axes for sure: some of them are exchanged."""
    parts = (p for o in file.once(ValueOrigins).of(softmax.subject) for p in walk(o))
    return any(
        isinstance(part, (ast.Attribute, ast.Call)) and terminal_name(part) in EXCHANGES
        for part in parts
    )


def normalised_single_axis(node: ast.Call, file: FileView) -> str:
    """Return the layer that makes the axis of a softmax have length 1, empty for any other call."""
    target = file.resolve(node.func)
    if target == "torch.nn.Sequential" and len(node.args) > 1:
        layer, last = node.args[-2:]
        is_softmax = isinstance(last, ast.Call) and file.resolve(last.func) == "torch.nn.Softmax"
        if is_softmax and isinstance(last, ast.Call) and isinstance(layer, ast.Call):
            dims = [*last.args, *(k.value for k in last.keywords if k.arg == "dim")]
            return _single_output(layer, integer(dims[0]) if dims else None, file)
        return ""
    call = tensor_call(node, file)
    if call is None or call.name != "softmax":
        return ""
    dim = integer(call.argument("dim", 0))
    for origin in file.once(ValueOrigins).of(call.subject, _scaled, calls=0):
        module = own_module(origin.func, file) if isinstance(origin, ast.Call) else None
        if (
            module is not None
            and file.resolve(module.func) == "torch.nn.Sequential"
            and module.args
        ):
            last = module.args[-1]
            module = last if isinstance(last, ast.Call) else None
        found = _single_output(module, dim, file) if module is not None else ""
        if found:
            return found
    return ""


def _single_output(layer: ast.Call, dim: int | None, file: FileView) -> str:
    """Return the code of a layer whose output has length 1 along an axis."""
    target = file.resolve(layer.func) or ""
    named = {k.arg: k.value for k in layer.keywords}
    is_linear = target == LINEAR and dim == -1
    is_convolution = target in CONVOLUTIONS and dim == 1
    width = named.get("out_features" if is_linear else "out_channels")
    width = width if width is not None else next(iter(layer.args[1:2]), None)
    is_one = isinstance(width, ast.Constant) and width.value == 1
    return f"`{file.code(layer)}`" if is_one and (is_linear or is_convolution) else ""


def _kept(node: ast.expr, file: FileView) -> ast.expr | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Mult, ast.Add)):
        return node.left
    call = tensor_call(node, file)
    return call.subject if call is not None and call.name in KEEPING_AXES - {"softmax"} else None


def _scaled(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the operand whose axes an operation keeps: another tensor may stretch one of length 1."""
    if isinstance(node, ast.BinOp):
        other = node.right
        is_number = isinstance(other, (ast.Constant, ast.UnaryOp))
        is_scale = is_number or dotted(other).startswith("self.")
        if isinstance(node.op, ast.Add):
            return node.left if is_number else None
        is_scale |= isinstance(node.op, ast.Div)
        return node.left if is_scale and isinstance(node.op, (ast.Mult, ast.Div)) else None
    return _kept(node, file)


def _traced(contraction: Contraction, axis: int, file: FileView) -> list[TracedSoftmax]:
    return list(_trace(contraction.operand, axis, contraction.rank, file, 0))


def _trace(
    node: ast.expr, axis: int, rank: int | None, file: FileView, depth: int
) -> Iterator[TracedSoftmax]:
    """Yield the softmaxes that a tensor comes from by operations that move its axes in a known way."""
    axes = file.once(TensorAxes)
    for origin in file.once(ValueOrigins).of(node):
        call = tensor_call(origin, file)
        if call is not None and call.name == "softmax":
            yield TracedSoftmax(call, axis, rank or axes.rank(origin) or axes.rank(call.subject))
            continue
        if depth >= DEEPEST:
            continue
        before = axes.before(origin, axis, rank)
        if before is None and rank is None and isinstance(origin, MOVING):
            before = axes.before(origin, axis, axes.rank(origin))
        is_inserting = isinstance(origin, ast.Subscript) or (
            call is not None and call.name == "unsqueeze"
        )
        if before is not None:
            yield from _trace(*before, None if is_inserting else rank, file, depth + 1)


def _dim(softmax: TensorCall, rank: int | None) -> int | None:
    """Return the axis of a softmax, the one that torch takes where none is given."""
    given = softmax.argument("dim", 0)
    if given is None or (isinstance(given, ast.Constant) and given.value is None):
        return LEGACY_DIMS.get(rank or 0)
    return integer(given)


def _is_at(contraction: Contraction, axis: int, dim: int, rank: int | None, file: FileView) -> bool:
    """Return whether an axis of the operand is the axis of the softmax."""
    return any(is_same_axis(t.axis, dim, rank) for t in _traced(contraction, axis, file))


def _is_scored(softmax: TensorCall, contraction: Contraction, file: FileView) -> bool:
    """Return whether the softmax takes scores of what is summed: a product, or a layer of the same tensor."""
    if any(_is_named(other, LOGARITHMS, file) for other in contraction.others):
        return False
    if all(dotted(other).startswith("self.") for other in contraction.others):
        return False  # a learned mixture of heads
    if is_product(softmax.subject, file):
        return True
    is_sum = isinstance(contraction.node, ast.Call) and not contraction.names
    call = tensor_call(contraction.node, file) if is_sum else None
    if call is None or call.name != "sum":
        return False
    scores = file.once(ValueOrigins).of(softmax.subject, _kept, calls=0)
    scored = {name for score in scores if isinstance(score, ast.Call) for name in _names(score)}
    return any(not scored.isdisjoint(_names(other)) for other in contraction.others)


def _is_named(node: ast.expr, names: frozenset[str], file: FileView) -> bool:
    origins = file.once(ValueOrigins).of(node)
    calls = (tensor_call(origin, file) for origin in origins)
    return any(call is not None and call.name in names for call in calls)


def _names(node: ast.expr) -> set[str]:
    parts = (part for part in walk(node) if isinstance(part, ast.Name))
    return {part.id for part in parts} - {"self", "torch", "F"}


def _is_routing(softmax: TensorCall, file: FileView) -> bool:
    """Return whether the scores begin as zeros: the routing of capsules, which shares out each input."""
    origins = file.once(ValueOrigins).of(softmax.subject, _kept)
    return any(isinstance(o, ast.Call) and "zeros" in dotted(o.func) for o in origins)


def _is_renormalised(softmax: TensorCall, file: FileView) -> bool:
    """Return whether the function sums the weights themselves, as to divide by the sum."""
    functions = file.functions(softmax.node)
    calls = scan(functions[-1], {ast.Call}) if functions else []
    for node in calls:
        call = tensor_call(node, file)
        if call is not None and call.name == "sum":
            origins = file.once(ValueOrigins).of(call.subject, calls=0)
            if softmax.node in origins:
                return True
    return False
