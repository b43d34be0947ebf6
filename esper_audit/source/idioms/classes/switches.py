"""Conditions on an attribute of the object that a class never meets."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

from esper_audit.source.idioms.classes.attribute_use import AttributeUse
from esper_audit.source.idioms.classes.file_classes import ClassFamily
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

COMPARISONS: dict[type[ast.cmpop], Callable[..., bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Gt: operator.gt,
    ast.Lt: operator.lt,
}


def is_switched_off(use: AttributeUse, family: ClassFamily, file: FileView) -> bool:
    """Return whether a read is below a switch of the object that its class only ever turns off.

    What turns it on from outside (`gradient_checkpointing` by transformers) sets the rest as well.
    """
    for branch in file.enclosing(use.node):
        if not isinstance(branch, ast.If) or not is_within(use.node, branch.body):
            continue
        needed = branch.test.values if isinstance(branch.test, ast.BoolOp) else [branch.test]
        if isinstance(branch.test, ast.BoolOp) and isinstance(branch.test.op, ast.Or):
            continue
        switches = (part.attr for part in needed if isinstance(part, ast.Attribute))
        if any(_is_only_off(family.bindings(switch)) for switch in switches):
            return True
        if any(_is_never_met(test, family) for test in needed):
            return True
    return False


def is_without_layer(use: AttributeUse, family: ClassFamily, file: FileView) -> bool:
    """Return whether a read is where a layer is missing that the class always makes."""
    for branch in file.enclosing(use.node):
        if isinstance(branch, ast.If) and is_within(use.node, branch.orelse):
            layer = branch.test.attr if isinstance(branch.test, ast.Attribute) else ""
            values = [bound.value for bound in family.bindings(layer)]
            made = [terminal_name(v.func) for v in values if isinstance(v, ast.Call)]
            if made and len(made) == len(values) and all(name[:1].isupper() for name in made):
                return True
    return False


def is_within(node: ast.expr, body: list[ast.stmt]) -> bool:
    """Return whether a node is in a block."""
    return any(s.lineno <= node.lineno <= (s.end_lineno or s.lineno) for s in body)


def _is_never_met(test: ast.expr, family: ClassFamily) -> bool:
    """Return whether a test compares an attribute that is a constant, and fails for it."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return False
    compare, other = COMPARISONS.get(test.ops[0].__class__), test.comparators[0]
    if (
        compare is None
        or not isinstance(test.left, ast.Attribute)
        or dotted(test.left.value) != "self"
    ):
        return False
    values = [use.value for use in family.bindings(test.left.attr)]
    constants = [v.value for v in values if isinstance(v, ast.Constant)]
    if not isinstance(other, ast.Constant) or not values or len(constants) != len(values):
        return False
    if not all(type(constant) is type(other.value) for constant in constants):
        return False
    return not any(compare(constant, other.value) for constant in constants)


def _is_only_off(bindings: list[AttributeUse]) -> bool:
    """Return whether an attribute is set, and only ever to False or None."""
    values = [use.value for use in bindings]
    return bool(values) and all(isinstance(v, ast.Constant) and not v.value for v in values)
