"""Attributes whose value a method of the class computes from the value before."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.aliasing.shared_storage import is_write_method
from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.idioms.classes.file_classes import ClassFamily
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

TENSOR_MAKERS = frozenset(
    {"zeros", "ones", "full", "tensor", "empty", "eye", "zeros_like", "ones_like", "empty_like"}
)
OVERWRITING = frozenset({"copy_", "fill_", "zero_"})
NODES = frozenset({ast.Assign, ast.AugAssign, ast.Call})


def is_tensor_made(value: ast.expr, file: FileView) -> bool:
    """Return whether an expression makes a tensor by a function of torch, perhaps moved or cast."""
    while isinstance(value, ast.Call):
        target = file.resolve(value.func) or ""
        if target.startswith("torch.") and terminal_name(value.func) in TENSOR_MAKERS:
            return True
        if not isinstance(value.func, ast.Attribute):
            return False
        value = value.func.value
    return False


def is_possible_tensor(value: ast.expr) -> bool:
    """Return whether an expression has a call of the name of a function that makes a tensor."""
    calls = (call for call in scan(value, {ast.Call}) if isinstance(call, ast.Call))
    return any(terminal_name(call.func) in TENSOR_MAKERS for call in calls)


def updates_of(name: str, family: ClassFamily) -> list[Function]:
    """Return the methods that compute an attribute of the object from its own value, in order."""
    found: list[Function] = []
    for member in family.members:
        uses = [*member.read.get(name, ()), *member.bound.get(name, ())]
        using = {use.method for use in uses if use.method.name != "__init__"}
        for method in (method for method in member.functions if method in using):
            attribute = f"{own_name(method)}.{name}"
            nodes = scan(method, NODES)
            if any(_is_update(node, attribute) for node in nodes):
                found.append(method)
    return found


def is_averaged(name: str, family: ClassFamily) -> bool:
    """Return whether a method makes a running average of an attribute: it scales the value before."""
    return any(_is_scaled_by(method, name) for method in updates_of(name, family))


def is_made_alike(value: ast.expr) -> bool:
    """Return whether a value is a new tensor of the kind of another (`x.new_empty(n)`)."""
    return isinstance(value, ast.Call) and terminal_name(value.func).startswith("new_")


def _is_scaled_by(method: Function, name: str) -> bool:
    attribute = f"{own_name(method)}.{name}"
    for node in scan(method, NODES):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("mul_", "lerp_") and dotted(node.func.value) == attribute:
                return True
        elif isinstance(node, ast.Assign) and attribute in map(dotted, node.targets):
            scaled = (p for p in scan(node.value, {ast.BinOp}) if isinstance(p, ast.BinOp))
            scaled = (part for part in scaled if isinstance(part.op, ast.Mult))
            if _is_lerp(node.value) or any(_reads(part, attribute) for part in scaled):
                return True
    return False


def _is_update(node: ast.AST, attribute: str) -> bool:
    """Return whether a node changes an attribute depending on its value before."""
    if isinstance(node, ast.AugAssign):
        return attribute in (dotted(node.target), _item_owner(node.target))
    if isinstance(node, ast.Assign):
        is_arithmetic = isinstance(node.value, ast.BinOp) or _is_lerp(node.value)
        own = [target for target in node.targets if dotted(target) == attribute]
        items = [t for t in node.targets if _item_owner(t) == attribute and not _is_filled(t, node)]
        return bool(items) or (bool(own) and is_arithmetic and _reads(node.value, attribute))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        if node.func.attr in OVERWRITING and not any(_reads(a, attribute) for a in node.args):
            # A place to work in, whose values are new each time.
            return False
        return is_write_method(node.func.attr) and attribute in (dotted(owner), _data_owner(owner))
    return False


def _is_filled(target: ast.expr, node: ast.Assign) -> bool:
    """Return whether an assignment fills a range of a store: `self.keys[:n, a:b] = keys`."""
    index = target.slice if isinstance(target, ast.Subscript) else None
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    ranges = [part for part in parts if isinstance(part, ast.Slice)]
    return any(part.lower or part.upper for part in ranges) and not _reads(
        node.value, dotted(target.value) if isinstance(target, ast.Subscript) else ""
    )


def _is_lerp(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and terminal_name(value.func) == "lerp"


def _reads(value: ast.expr, attribute: str) -> bool:
    return any(dotted(node) == attribute for node in scan(value, {ast.Attribute}))


def _item_owner(target: ast.expr) -> str:
    return dotted(target.value) if isinstance(target, ast.Subscript) else ""


def _data_owner(value: ast.expr) -> str:
    """Return the attribute of which a value is the data or an item."""
    if isinstance(value, ast.Attribute) and value.attr == "data":
        return dotted(value.value)
    return _item_owner(value)


def is_named_in_pair(node: ast.AST, name: str) -> bool:
    """Return whether a tuple pairs a text with an attribute, as a list of what is to be registered does."""
    if not isinstance(node, ast.Tuple) or len(node.elts) != 2:
        return False
    first, second = node.elts
    is_text = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return is_text and dotted(second) == f"self.{name}"
