"""Values that a text shows without being run: arithmetic on numbers, and tensors that torch draws."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from esper_audit.probes.recipes.values import Arguments, NameSpec, TensorSpec, TupleSpec, Value

MOST_ELEMENTS = 1 << 22
SHAPED: Mapping[str, float | None] = {
    "randn": None,
    "rand": 1.0,
    "zeros": 1.0,
    "ones": 1.0,
    "empty": None,
}
OPERATORS: Mapping[type, Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Pow: operator.pow, ast.Mod: operator.mod,
}  # fmt: skip


class Unknown(Exception):
    """An expression whose value the text does not show."""


def negated(sign: ast.unaryop, operand: Value) -> Value:
    """Return a number with its sign changed."""
    if isinstance(sign, ast.USub) and isinstance(operand, (int, float)):
        return -operand
    raise Unknown


def computed(symbol: ast.operator, left: Value, right: Value) -> Value:
    """Return the result of an operator on numbers, or the tensor that it is applied to."""
    if isinstance(left, TensorSpec) or isinstance(right, TensorSpec):
        return left if isinstance(left, TensorSpec) else right
    does = OPERATORS.get(type(symbol))
    if does is None or not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        raise Unknown
    try:
        result: int | float = does(left, right)
    except (ArithmeticError, TypeError) as error:
        raise Unknown from error
    return result


def drawn_tensor(called: Any, arguments: Arguments) -> TensorSpec | None:
    """Return the tensor that a function of torch draws, None for another function."""
    name = next((n for n in (*SHAPED, "randint", "Tensor") if vars(torch).get(n) is called), "")
    if not name:
        return None
    args = list(arguments.args)
    if name == "randint":
        bounds = [args.pop(0)]
        if args and isinstance(args[0], int):
            bounds = [*bounds, args.pop(0)]
        if not all(isinstance(bound, int) for bound in bounds):
            raise Unknown
        low, high = (0, bounds[0]) if len(bounds) == 1 else bounds
        spec = TensorSpec((), "int64", int(str(low)), int(str(high)))
    else:
        spec = TensorSpec((), high=SHAPED.get(name))
    if args and isinstance(args[0], (TupleSpec, list)):
        args = list(args[0].items if isinstance(args[0], TupleSpec) else args[0])
    if "size" in arguments.kwargs and isinstance(arguments.kwargs["size"], TupleSpec):
        args = list(arguments.kwargs["size"].items)
    if not all(isinstance(side, int) for side in args):
        raise Unknown
    shape = tuple(int(str(side)) for side in args)
    dtype = arguments.kwargs.get("dtype")
    if isinstance(dtype, NameSpec):
        spec = replace(spec, dtype=dtype.path.removeprefix("torch:"))
    if math.prod(shape) > MOST_ELEMENTS:
        raise Unknown
    return replace(spec, shape=shape)
