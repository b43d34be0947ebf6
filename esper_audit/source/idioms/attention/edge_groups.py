"""Weights of the edges of a graph: by which end they are normalised, and at which they are summed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.attention.axes import factors
from esper_audit.source.idioms.numerics.probabilities import selected
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins, called_function
from esper_audit.source.syntax.ast_walk import scan
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
    """A softmax by one index whose weights are summed by another."""

    softmax: ast.Call
    normalised: ast.expr
    summed: ast.expr
    aggregation: ast.Call


def misgrouped_weights(node: ast.Call, file: FileView) -> MisgroupedWeights | None:
    """Return the softmax of a source that an aggregation sums by another index of the same edges."""
    aggregation = _aggregation(node, file)
    if aggregation is None:
        return None
    for weights in _factors_of(aggregation.source, file):
        group = _group(weights, file)
        if group is not None and _are_two_ends(group, aggregation.at, file):
            return MisgroupedWeights(weights, group, aggregation.at, node)
    return None


def _factors_of(source: ast.expr, file: FileView) -> Iterator[ast.Call]:
    """Yield the calls whose results are factors of what is summed."""
    origins = file.once(ValueOrigins)
    for value in origins.of(source, selected, calls=0):
        for factor in factors(value):
            found = origins.of(factor, selected, calls=0)
            yield from (origin for origin in found if isinstance(origin, ast.Call))


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


def _group(node: ast.Call, file: FileView) -> ast.expr | None:
    """Return the index by which a call normalises, None if it is no softmax of groups."""
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
