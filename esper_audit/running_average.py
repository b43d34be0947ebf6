"""What a statement that updates an exponential moving average looks like, in every spelling."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

UPDATES = frozenset({"add_", "addcmul_", "lerp_", "copy_", "lerp"})
TOLERANCE = 1e-9


class Update(NamedTuple):
    """An average and how much of it one step keeps (both as source), `0.9` in `0.9*a + 0.1*x`."""

    average: str
    kept: str


def update(node: ast.AST) -> Update | None:
    """Return what an assignment or a call updates as an exponential moving average, if it does."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return _assigned(node.targets[0], node.value)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        return _stepped(node.target, node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _in_place(node.func, node)
    return None


def _assigned(target: ast.expr, value: ast.expr) -> Update | None:
    """`a = b*a + (1-b)*x`, `a = a + w*(x - a)`, `a = a.lerp(x, w)`, `a = torch.lerp(a, x, w)`."""
    average = _source(target)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        for left, right in ((value.left, value.right), (value.right, value.left)):
            if _source(left) == average:
                return _stepped(target, right)
            for kept in _others(left, average):
                if any(_add_to_one(kept, weight) for weight in _factors(right)):
                    return Update(average, ast.unparse(kept))
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        arguments = [*value.args, *(keyword.value for keyword in value.keywords)]
        if value.func.attr == "lerp" and len(arguments) == 2:
            return _lerped(average, value.func.value, arguments[1])
        if value.func.attr == "lerp" and len(arguments) == 3:
            return _lerped(average, arguments[0], arguments[2])
    return None


def _stepped(target: ast.expr, step: ast.expr) -> Update | None:
    """`a += w*(x - a)`."""
    average = _source(target)
    for weight, difference in _products(step):
        if isinstance(difference, ast.BinOp) and isinstance(difference.op, ast.Sub):
            if _source(difference.right) == average and _is_rate(weight):
                return Update(average, f"1 - {ast.unparse(weight)}")
    return None


def _in_place(method: ast.Attribute, call: ast.Call) -> Update | None:
    """`a.mul_(b).add_(x, alpha=1-b)`, `a.lerp_(x, w)`, `a.copy_(b*a + (1-b)*x)`."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    arguments = [*call.args, *keywords.values()]
    if method.attr == "lerp_" and len(arguments) == 2:
        return _lerped(_source(method.value), method.value, arguments[1])
    if method.attr == "copy_" and len(call.args) == 1:
        return _assigned(method.value, call.args[0])
    scaled = method.value
    if method.attr not in {"add_", "addcmul_"} or not isinstance(scaled, ast.Call):
        return None
    if not isinstance(scaled.func, ast.Attribute) or scaled.func.attr != "mul_" or not scaled.args:
        return None
    kept, average = scaled.args[0], _source(scaled.func.value)
    share = keywords.get("alpha") or keywords.get("value")
    weights = [share] if share is not None else list(_factors(call.args[0])) if call.args else []
    matches = any(_add_to_one(kept, weight) for weight in weights)
    return Update(average, ast.unparse(kept)) if matches else None


def _lerped(average: str, start: ast.expr, weight: ast.expr) -> Update | None:
    if _source(start) != average:
        return None
    for kept in _complements(weight):
        return Update(average, ast.unparse(kept))
    return Update(average, f"1 - {ast.unparse(weight)}") if _is_rate(weight) else None


def _others(product: ast.expr, factor: str) -> Iterator[ast.expr]:
    """Yield what a factor is multiplied by in a product."""
    for one, other in _products(product):
        if _source(one) == factor:
            yield other


def _factors(product: ast.expr) -> Iterator[ast.expr]:
    for one, _ in _products(product):
        yield one
        yield from _factors(one)


def _products(product: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield both orders of a product's two factors."""
    if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult):
        yield product.left, product.right
        yield product.right, product.left


def _add_to_one(kept: ast.expr, weight: ast.expr) -> bool:
    one, other = _number(kept), _number(weight)
    if one is not None and other is not None:
        return 0 < one < 1 and abs(one + other - 1) < TOLERANCE
    pairs = ((kept, weight), (weight, kept))
    return any(_same(c, b) for a, b in pairs for c in _complements(a))


def _complements(node: ast.expr) -> Iterator[ast.expr]:
    """Yield `b` for `1 - b`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and _number(node.left) == 1:
        yield node.right


def _is_rate(node: ast.expr) -> bool:
    """Say whether a weight is one number for all steps, by its looks."""
    value = _number(node)
    return isinstance(node, (ast.Name, ast.Attribute)) if value is None else 0 < value < 1


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    return None


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.unparse(one) == ast.unparse(other)


def _source(node: ast.expr) -> str:
    """Return the source of what is averaged, `.data` left out."""
    return ast.unparse(node).removesuffix(".data")
