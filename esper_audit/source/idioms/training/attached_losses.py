"""Statements that keep a loss which is still attached to its autograd graph."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.training.torch_objects import is_without_gradients
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import text_of

# Methods whose result is still attached to the graph of the receiver.
ATTACHED_METHODS = frozenset(
    {"mean", "sum", "cpu", "to", "float", "clone", "squeeze", "view", "double", "cuda"}
)
DETACHING = frozenset({"item", "detach", "tolist", "numpy", "float", "detach_"})


class KeptLoss(NamedTuple):
    """A statement that keeps a loss, the name that keeps it, and the expression that is attached."""

    statement: ast.stmt
    keeper: str
    loss: ast.expr


def kept_losses(loop: ast.stmt, loss: str, file: FileView) -> Iterator[KeptLoss]:
    """Yield the statements of a loop that add a loss to a name which outlives the round."""
    assigned = _assignments(loop)
    if any(_detaches(value) for target, value in assigned if target == loss):
        return
    kinds = {ast.AugAssign, ast.Assign, ast.Expr}
    for statement in scan(loop, kinds, NESTED_SCOPES):
        kept = _kept(statement, loss) if isinstance(statement, ast.stmt) else None
        if kept is None or kept.keeper == loss:
            continue
        is_reset = any(
            target == kept.keeper and value is not _value_of(kept.statement)
            for target, value in assigned
        )
        is_sum = not isinstance(kept.statement, ast.Expr)
        if not is_reset and not (is_sum and _is_under_no_grad(kept.statement, file)):
            yield kept


def loss_terms(loop: ast.stmt, loss: str, file: FileView) -> list[str]:
    """Return the names that a loss is the sum of and that functions of torch compute in the loop."""
    assigned = _assignments(loop)
    sums = [value for target, value in assigned if target == loss and isinstance(value, ast.BinOp)]
    names = {n.id for value in sums for n in scan(value, {ast.Name}) if isinstance(n, ast.Name)}
    return sorted(
        target
        for target, value in assigned
        if target in names - {loss} and _is_computed(value, file)
    )


def is_rebound(kept: KeptLoss, backward: ast.Call, file: FileView) -> bool:
    """Return whether the name of a loss is bound to something else between its backward and its sum."""
    if file.functions(kept.statement)[-1:] != file.functions(backward)[-1:]:
        return False
    between = range(backward.lineno + 1, kept.statement.lineno)
    for name in (n for n in scan(kept.loss, {ast.Name}) if isinstance(n, ast.Name)):
        values = file.once(FunctionValues).reaching(name)
        if values and all(
            value.statement is not None
            and value.statement.lineno in between
            and value.value is not None
            and name.id not in names_in(value.value)
            for value in values
        ):
            return True
    return False


def _is_computed(value: ast.expr, file: FileView) -> bool:
    """Return whether an expression is a result of torch, perhaps scaled."""
    if isinstance(value, ast.BinOp):
        return _is_computed(value.left, file) or _is_computed(value.right, file)
    return isinstance(value, ast.Call) and (file.resolve(value.func) or "").startswith("torch.")


def attached_part(value: ast.expr, loss: str) -> ast.expr | None:
    """Return the part of an expression that is a loss and still attached to its graph."""
    if isinstance(value, (ast.Name, ast.Attribute)):
        return value if text_of(value) == loss else None
    if isinstance(value, ast.BinOp):
        is_weighted = not isinstance(value.op, (ast.Add, ast.Sub))
        if is_weighted and (_detaches(value.left) or _detaches(value.right)):
            # The other factor is the weight of a loss that was detached.
            return None
        return attached_part(value.left, loss) or attached_part(value.right, loss)
    if isinstance(value, ast.UnaryOp):
        return attached_part(value.operand, loss)
    if isinstance(value, (ast.Tuple, ast.List, ast.Dict)):
        parts = value.values if isinstance(value, ast.Dict) else value.elts
        return next((part for p in parts if (part := attached_part(p, loss))), None)
    if isinstance(value, ast.Call):
        if isinstance(value.func, ast.Attribute) and value.func.attr in ATTACHED_METHODS:
            return attached_part(value.func.value, loss)
        return value if text_of(value) == loss else None
    return None


def _kept(statement: ast.stmt, loss: str) -> KeptLoss | None:
    """Return what a statement keeps: `a += loss`, `a = a + loss` or `a.append(loss)`."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
        part = attached_part(statement.value, loss)
        return KeptLoss(statement, text_of(statement.target), part) if part else None
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.BinOp):
        target, value = text_of(statement.targets[0]), statement.value
        sides = [value.left, value.right]
        others = [side for side in sides if text_of(side) != target]
        if len(others) == 1 and isinstance(value.op, ast.Add):
            part = attached_part(others[0], loss)
            return KeptLoss(statement, target, part) if part else None
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "append" and call.args:
            part = attached_part(call.args[0], loss)
            return KeptLoss(statement, text_of(call.func.value), part) if part else None
    return None


def _value_of(statement: ast.stmt) -> ast.expr | None:
    return statement.value if isinstance(statement, ast.Assign) else None


def _assignments(loop: ast.stmt) -> list[tuple[str, ast.expr]]:
    """Return the texts that a loop assigns to, each with its value."""
    found = [s for s in scan(loop, {ast.Assign}, NESTED_SCOPES) if isinstance(s, ast.Assign)]
    pairs = [(target, s.value) for s in found for target in s.targets]
    split: list[tuple[str, ast.expr]] = []
    for target, value in pairs:
        parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
        split += [(text_of(part), value) for part in parts]
    return split


def _detaches(value: ast.expr) -> bool:
    """Return whether a value is a number or a detached copy."""
    if isinstance(value, ast.Attribute):
        return value.attr == "data"
    if not isinstance(value, ast.Call):
        return False
    function = value.func
    if isinstance(function, ast.Attribute):
        return function.attr in DETACHING or _detaches(function.value)
    return isinstance(function, ast.Name) and function.id == "float"


def _is_under_no_grad(statement: ast.stmt, file: FileView) -> bool:
    blocks = [s for s in file.enclosing(statement) if isinstance(s, (ast.With, ast.AsyncWith))]
    managers = [item.context_expr for block in blocks for item in block.items]
    return any(is_without_gradients(manager, file) for manager in managers)
