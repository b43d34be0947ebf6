"""The truth of a condition on one name, where the name has a constant value."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

from esper_audit.source.syntax.names import dotted

OPERATORS: dict[type[ast.cmpop], Callable[[object, object], object]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Lt: operator.lt,  # type: ignore[dict-item]  # what does not compare is caught
    ast.LtE: operator.le,  # type: ignore[dict-item]  # as above
    ast.Gt: operator.gt,  # type: ignore[dict-item]  # as above
    ast.GtE: operator.ge,  # type: ignore[dict-item]  # as above
    ast.In: lambda a, b: operator.contains(b, a),  # type: ignore[arg-type]  # as above
    ast.NotIn: lambda a, b: not operator.contains(b, a),  # type: ignore[arg-type]  # as above
}
TYPES = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "tuple": tuple,
    "dict": dict,
}


class UnknownTruthError(Exception):
    """A condition depends on more than the name and constants."""


def truth_with(test: ast.expr, name: str, value: object) -> bool | None:
    """Return the truth of a condition where a dotted name has a constant value, or None if it is open."""
    try:
        return bool(_value(test, name, value))
    except (UnknownTruthError, TypeError, ValueError):
        return None


def _value(node: ast.expr, name: str, value: object) -> object:
    if dotted(node) == name:
        return value
    if isinstance(node, ast.BoolOp):
        parts = [_value(part, name, value) for part in node.values]
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _value(node.operand, name, value)
    if isinstance(node, ast.Compare):
        return _compared(node, name, value)
    if isinstance(node, ast.Call):
        return _called(node, name, value)
    return _literal(node)


def _compared(node: ast.Compare, name: str, value: object) -> bool:
    sides = [_value(side, name, value) for side in (node.left, *node.comparators)]
    pairs = zip(sides, node.ops, sides[1:], strict=False)
    return all(OPERATORS[type(op)](left, right) for left, op, right in pairs)


def _called(node: ast.Call, name: str, value: object) -> object:
    function, arguments = dotted(node.func), node.args
    if function == "len" and len(arguments) == 1:
        return len(_value(arguments[0], name, value))  # type: ignore[arg-type]  # what has no length is caught
    if function != "isinstance" or len(arguments) != 2 or dotted(arguments[0]) != name:
        raise UnknownTruthError
    kinds = arguments[1].elts if isinstance(arguments[1], ast.Tuple) else [arguments[1]]
    known = [TYPES.get(dotted(kind)) for kind in kinds]
    if None in known:
        raise UnknownTruthError
    return isinstance(value, tuple(kind for kind in known if kind is not None))


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise UnknownTruthError from error
