"""Updates of exponential moving averages, in all common notations."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.names import dotted, text_of

UPDATE_METHODS = frozenset({"add_", "addcmul_", "lerp_", "copy_"})
PRODUCTS = (".mul", ".multiply")
TOLERANCE = 1e-9
NAMED = (ast.Name, ast.Attribute)


class EmaUpdate(NamedTuple):
    """An average and the share of the newest sample: `a` and `1 - b` in `a = b*a + (1 - b)*x`."""

    average: str
    share: ast.expr


def ema_update(node: ast.AST) -> EmaUpdate | None:
    """Return the moving-average update that an assignment or call performs, or None."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return _update_by_assignment(node.targets[0], node.value)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        return _update_by_step(node.target, node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _update_in_place(node.func, node)
    return None


def ema_updates(scope: ast.AST) -> list[EmaUpdate]:
    """Return all updates of moving averages in a scope."""
    return [found for node in walk(scope) if (found := ema_update(node)) is not None]


def is_constant(share: ast.expr, scope: ast.AST) -> bool:
    """Return whether a share is the same at every step: no call, no computed local variable."""
    parts = list(walk(share))
    if any(isinstance(part, (ast.Call, ast.IfExp)) or _is_power_or_ratio(part) for part in parts):
        return False
    read = {text_of(part) for part in parts if isinstance(part, NAMED)}
    return read.isdisjoint(_computed_names(scope))


def _update_by_assignment(target: ast.expr, value: ast.expr) -> EmaUpdate | None:
    """Match `a = b*a + (1-b)*x`, `a = a + w*(x - a)`, `a = a.lerp(x, w)`, `a = torch.lerp(a, x, w)`."""
    if not isinstance(value, (ast.BinOp, ast.Call)):
        return None
    if isinstance(value, ast.Call) and not dotted(value.func).endswith("lerp"):
        return None
    average = averaged_code(target)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        for left, right in ((value.left, value.right), (value.right, value.left)):
            if averaged_code(left) == average:
                return _update_by_step(target, right)
            share = _share(average, left, right)
            if share is not None:
                return EmaUpdate(average, share)
    if isinstance(value, ast.Call):
        arguments = [*value.args, *(keyword.value for keyword in value.keywords)]
        if len(arguments) == 2 and isinstance(value.func, ast.Attribute):
            arguments.insert(0, value.func.value)
        if len(arguments) == 3 and averaged_code(arguments[0]) == average:
            return EmaUpdate(average, arguments[2])
    return None


def _share(average: str, left: ast.expr, right: ast.expr) -> ast.expr | None:
    """Return `1-b` where `left` is `b*average` and `right` is `(1-b)*x`."""
    kept = [other for one, other in _products(left) if averaged_code(one) == average]
    pairs = ((keep, share) for keep in kept for share in _factors(right))
    return next((share for keep, share in pairs if _is_complement(keep, share)), None)


def _update_by_step(target: ast.expr, step: ast.expr) -> EmaUpdate | None:
    """Match `a += w*(x - a)`."""
    average = averaged_code(target)
    for share, difference in _products(step):
        if not isinstance(difference, ast.BinOp) or not isinstance(difference.op, ast.Sub):
            continue
        if averaged_code(difference.right) == average:
            return EmaUpdate(average, share)
    return None


def _update_in_place(method: ast.Attribute, call: ast.Call) -> EmaUpdate | None:
    """Match `a.mul_(b).add_(x, alpha=1-b)`, `a.lerp_(x, w)`, `a.copy_(b*a + (1-b)*x)`."""
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    arguments = [*call.args, *keywords.values()]
    if method.attr == "lerp_" and len(arguments) == 2:
        return EmaUpdate(averaged_code(method.value), arguments[1])
    if method.attr == "copy_" and len(call.args) == 1:
        return _update_by_assignment(method.value, call.args[0])
    scaled = method.value
    if method.attr not in UPDATE_METHODS or not isinstance(scaled, ast.Call) or not call.args:
        return None
    if not isinstance(scaled.func, ast.Attribute) or scaled.func.attr != "mul_" or not scaled.args:
        return None
    named = keywords.get("alpha") or keywords.get("value")
    for share in [named] if named is not None else _factors(call.args[0]):
        if _is_complement(scaled.args[0], share):
            return EmaUpdate(averaged_code(scaled.func.value), share)
    return None


def _factors(product: ast.expr) -> Iterator[ast.expr]:
    for one, _ in _products(product):
        yield one
        yield from _factors(one)


def _products(product: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield both orders of the two factors of `a * b` or `torch.mul(a, b)`."""
    if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult):
        yield product.left, product.right
        yield product.right, product.left
    elif isinstance(product, ast.Call) and dotted(product.func).endswith(PRODUCTS):
        yield from itertools.permutations(product.args, 2)


def _is_complement(kept: ast.expr, share: ast.expr) -> bool:
    one, other = literal_number(kept), literal_number(share)
    if one is not None and other is not None:
        return 0 < one < 1 and abs(one + other - 1) < TOLERANCE
    return _is_one_minus(kept, share) or _is_one_minus(share, kept)


def _is_one_minus(node: ast.expr, other: ast.expr) -> bool:
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
        return False
    return literal_number(node.left) == 1 and averaged_code(node.right) == averaged_code(other)


def literal_number(node: ast.expr) -> float | None:
    """Return the value of a numeric literal, or None."""
    value = node.value if isinstance(node, ast.Constant) else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def averaged_code(node: ast.expr) -> str:
    """Return the code of an averaged variable without `.data`."""
    return text_of(node).removesuffix(".data")


def _is_power_or_ratio(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.Div))


def _computed_names(scope: ast.AST) -> Iterator[str]:
    """Yield the names and attributes that a scope computes: assigned more than a literal or a look-up."""
    for node in walk(scope):
        targets: Sequence[ast.expr] = ()
        if isinstance(node, ast.Assign) and not _is_lookup(node.value):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.For, ast.comprehension)):
            targets = [node.target]
        for target in targets:
            parts = (part for part in walk(target) if isinstance(part, NAMED))
            yield from (text_of(part) for part in parts if isinstance(part.ctx, ast.Store))


def _is_lookup(value: ast.expr) -> bool:
    """Return whether a value is a literal, a name, an attribute or an entry such as `group["beta"]`."""
    if isinstance(value, ast.Tuple):
        return all(map(_is_lookup, value.elts))
    if isinstance(value, ast.Subscript):
        return isinstance(value.slice, ast.Constant)
    return isinstance(value, (ast.Constant, ast.Attribute, ast.Name))
