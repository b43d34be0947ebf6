"""Contractions: the operations that sum over an axis of their operands, in all common notations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.attention.axes import (
    TensorAxes,
    einsum_terms,
    integer,
    numbered,
)
from esper_audit.source.idioms.numerics.tensor_calls import TensorCall, tensor_call
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.syntax.ast_walk import factors
from esper_audit.source.syntax.file_view import FileView

PRODUCTS = frozenset({"matmul", "bmm", "mm", "mv"})
ADDING_PRODUCTS = frozenset({"baddbmm", "addmm"})
SCALING = (ast.Mult, ast.Div, ast.Add, ast.Sub)
DERIVED = frozenset(
    {"masked_fill", "masked_fill_", "where", "to", "float", "type_as", "div", "mul", "add", "tanh"}
    | {"relu", "leaky_relu", "clamp", "view", "reshape", "permute", "transpose", "dropout"}
)


class Contraction(NamedTuple):
    """One operand of a sum of products, and its axes over which the sum runs.

    `axes` are numbers, `names` those of an einsum by number, `shared` the axes that it keeps and that
    another operand has, too. `rank` is the number of axes of the operand if the operation shows it.
    """

    operand: ast.expr
    others: tuple[ast.expr, ...]
    axes: tuple[int, ...]
    names: dict[int, str]
    rank: int | None
    node: ast.expr
    shared: tuple[int, ...] = ()


def contractions(node: ast.AST, file: FileView) -> Iterator[Contraction]:
    """Yield each operand of the sum of products that a node is, nothing for other nodes."""
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.MatMult):
            yield from _of_matrices(node.left, node.right, None, node)
        return
    if not isinstance(node, ast.Call):
        return
    terms = einsum_terms(node, file)
    if terms is not None:
        yield from _of_einsum(node, *terms)
        return
    call = tensor_call(node, file)
    if call is None:
        return
    if call.name in PRODUCTS and len(call.arguments) == 1:
        rank = 3 if call.name == "bmm" else None
        yield from _of_matrices(call.subject, call.arguments[0], rank, node)
    elif call.name in ADDING_PRODUCTS and len(call.arguments) >= 2:
        rank = 3 if call.name == "baddbmm" else 2
        yield from _of_matrices(call.arguments[0], call.arguments[1], rank, node)
    elif call.name == "sum":
        yield from _of_sum(call, file)


def is_product(node: ast.expr, file: FileView, depth: int = 0) -> bool:
    """Return whether a value is a sum of products of two tensors, perhaps scaled, shifted or masked."""
    for origin in file.once(ValueOrigins).of(node):
        if isinstance(origin, ast.BinOp) and isinstance(origin.op, SCALING) and depth < 6:
            if any(is_product(side, file, depth + 1) for side in (origin.left, origin.right)):
                return True
            continue
        call = tensor_call(origin, file)
        if call is not None and call.name in DERIVED and depth < 6:
            operands = [call.subject, *call.arguments]
            if any(is_product(each, file, depth + 1) for each in operands):
                return True
        elif any(True for _ in contractions(origin, file)):
            return True
    return False


def _of_matrices(
    left: ast.expr, right: ast.expr, rank: int | None, node: ast.expr
) -> Iterator[Contraction]:
    shared = (0,) if rank == 3 else ()
    yield Contraction(left, (right,), (-1,), {}, rank, node, shared)
    yield Contraction(right, (left,), (-2,), {}, rank, node, shared)


def _of_einsum(
    node: ast.Call, operands: list[ast.expr], terms: list[list[str]]
) -> Iterator[Contraction]:
    if len(operands) < 2:
        return
    result = terms[-1]
    for position, operand in enumerate(operands):
        own = terms[position]
        summed = [name for name in own if name not in result and name != "..."]
        shared = {name for i, other in enumerate(terms[:-1]) if i != position for name in other}
        axes = [numbered(own, name) for name in summed if name in shared]
        names = {n: name for name in own if (n := numbered(own, name)) is not None}
        rank = None if "..." in own else len(own)
        others = tuple(o for o in operands if o is not operand)
        found = tuple(axis for axis in axes if axis is not None)
        kept = tuple(n for n, name in names.items() if name in shared and name in result)
        yield Contraction(operand, others, found, names, rank, node, kept)


def _of_sum(call: TensorCall, file: FileView) -> Iterator[Contraction]:
    dimension = call.argument("dim", 0)
    parts = dimension.elts if isinstance(dimension, (ast.Tuple, ast.List)) else [dimension]
    axes = [integer(part) for part in parts]
    if not axes or any(axis is None for axis in axes):
        return
    for origin in file.once(ValueOrigins).of(call.subject, calls=0):
        operands = list(factors(origin))
        around = file.enclosing(origin)
        # Weights that are masked in place, and then counted.
        is_masked = bool(around) and isinstance(around[-1], ast.AugAssign)
        if len(operands) != 2 or is_masked:
            continue
        rank = file.once(TensorAxes).rank(origin)
        for operand, other in (operands, reversed(operands)):
            known = tuple(axis for axis in axes if axis is not None)
            yield Contraction(operand, (other,), known, {}, rank, call.node)
