"""Weights of the edges of a graph: by which end they are normalised, and at which they are summed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.numerics.probabilities import selected
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins, called_function
from esper_audit.source.syntax.ast_walk import factors, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

# Methods of a tensor that take an axis, an index and a source.
METHODS = frozenset(
    {"index_add", "index_add_", "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_"}
    | {"scatter"}
)
FUNCTIONS = frozenset({"scatter", "scatter_sum", "scatter_add", "scatter_mean"})
GROUPS = frozenset({"index", "group", "segment_ids", "dst", "ptr"})
INDEXES = (ast.Name, ast.Attribute, ast.Subscript)


class Aggregation(NamedTuple):
    """An operation that sums rows of a source into the rows that an index names."""

    at: ast.expr
    source: ast.expr


class MisgroupedWeights(NamedTuple):
    """A normalisation by one index whose weights are summed by another, both as code."""

    softmax: ast.expr
    normalised: str
    summed: str
    aggregation: ast.Call


def misgrouped_weights(node: ast.Call, file: FileView) -> MisgroupedWeights | None:
    """Return the softmax of a source that an aggregation sums by another index of the same edges."""
    if terminal_name(node.func) == "propagate":
        return _misgrouped_messages(node, file)
    aggregation = _aggregation(node, file)
    if aggregation is None:
        return None
    for weights in _factors_of(aggregation.source, file):
        group = _group(weights, file)
        if group is not None and _are_two_ends(group, aggregation.at, file):
            return MisgroupedWeights(weights, file.code(group), file.code(aggregation.at), node)
    return None


def _misgrouped_messages(node: ast.Call, file: FileView) -> MisgroupedWeights | None:
    """Return the softmax by the source of edges among the messages that `propagate` sums at the target."""
    edges = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "edge_index")]
    if not edges or b"target_to_source" in file.source.data:
        return None
    for keyword in node.keywords:
        for weights in _factors_of(keyword.value, file):
            group = _group(weights, file)
            if group is not None and _key(group, file) == (ast.unparse(edges[0]), "0"):
                summed = f"{file.code(edges[0])}[1]"
                return MisgroupedWeights(weights, file.code(group), summed, node)
    return None


def _factors_of(source: ast.expr, file: FileView) -> Iterator[ast.expr]:
    """Yield the calls and quotients that are factors of what is summed."""
    origins = file.once(ValueOrigins)
    for value in origins.of(source, selected, calls=0):
        for factor in factors(value):
            found = origins.of(factor, selected, calls=0)
            yield from (origin for origin in found if isinstance(origin, (ast.Call, ast.BinOp)))


def _aggregation(node: ast.Call, file: FileView) -> Aggregation | None:
    name = terminal_name(node.func)
    named = {k.arg: k.value for k in node.keywords}
    arguments = list(node.args)
    target = file.resolve(node.func)
    if name in METHODS and (target is None and isinstance(node.func, ast.Attribute)):
        arguments = arguments[1:] if "dim" not in named else arguments
    elif name in METHODS and (target or "").startswith("torch.") and len(arguments) > 2:
        arguments = arguments[2:]
    elif name in FUNCTIONS:
        arguments = [*arguments[1:2], *arguments[:1]]
    else:
        return None
    index = named.get("index") or next(iter(arguments[:1]), None)
    source = named.get("src") or named.get("source") or next(iter(arguments[1:2]), None)
    return Aggregation(index, source) if index is not None and source is not None else None


def _group(node: ast.expr, file: FileView) -> ast.expr | None:
    """Return the index by which a call or a quotient normalises, None if it is no softmax of groups."""
    if isinstance(node, ast.BinOp):
        return _group_of_quotient(node, file)
    if not isinstance(node, ast.Call):
        return None
    function = called_function(node, file)
    position = _grouping_parameter(function, file) if function is not None else None
    if position is not None:
        return next(iter(node.args[position : position + 1]), None)
    target = file.resolve(node.func) or ""
    if "softmax" not in terminal_name(node.func).lower() or target.startswith("torch."):
        return None
    named = [k.value for k in node.keywords if k.arg in GROUPS]
    found = next(iter([*named, *node.args[1:2]]), None)
    return found if isinstance(found, INDEXES) else None


def _group_of_quotient(node: ast.BinOp, file: FileView) -> ast.expr | None:
    """Return `group` for `e / totals[group]` where `totals` sums exponentials by a group."""
    if not isinstance(node.op, ast.Div) or not isinstance(node.right, ast.Subscript):
        return None
    origins = file.once(ValueOrigins)
    exponentials = origins.of(node.left, selected, calls=0)
    totals = origins.of(node.right.value, selected, calls=0)
    is_sum = any(isinstance(t, ast.Call) and _aggregation(t, file) is not None for t in totals)
    is_exponential = any(
        isinstance(e, ast.Call) and terminal_name(e.func) == "exp" for e in exponentials
    )
    return node.right.slice if is_sum and is_exponential else None


def _grouping_parameter(function: Function, file: FileView) -> int | None:
    """Return the position of the parameter by which a function sums exponentials, without `self`."""
    calls = [n for n in scan(function, {ast.Call}) if isinstance(n, ast.Call)]
    if not any("exp" in terminal_name(call.func) for call in calls):
        return None
    names = [p.arg for p in parameters(function.args) if p.arg not in ("self", "cls")]
    for call in calls:
        found = _aggregation(call, file)
        if found is not None and dotted(found.at) in names:
            return names.index(dotted(found.at))
    return None


def _are_two_ends(one: ast.expr, other: ast.expr, file: FileView) -> bool:
    """Return whether two indexes are the two parts of one tensor of edges, or two parameters."""
    first, second = _key(one, file), _key(other, file)
    return first is not None and second is not None and first[0] == second[0] and first != second


def _key(node: ast.expr, file: FileView) -> tuple[str, str] | None:
    """Return what an index is a part of, and which part."""
    for _ in range(4):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            return ast.unparse(node.value), str(node.slice.value)
        if not isinstance(node, (ast.Name, ast.Attribute)):
            moved = selected(node, file)
            if moved is None:
                return None
            node = moved
            continue
        values = file.once(FunctionValues).reaching(node)
        if len(values) != 1:
            return None
        value = values[0]
        if value.value is None:
            return ("parameters", value.name) if value.statement is None else None
        if value.index is not None:
            return ast.unparse(value.value), str(value.index)
        node = value.value
    return None
