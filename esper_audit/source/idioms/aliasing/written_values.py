"""Whether what a write changes is a tensor of the caller, or an item that is replaced."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.aliasing.alias_flow import ArgumentWrite
from esper_audit.source.idioms.aliasing.argument_flows import argument_flows
from esper_audit.source.idioms.aliasing.argument_part import ITEM, WHOLE
from esper_audit.source.idioms.aliasing.shared_storage import is_item_removal
from esper_audit.source.idioms.aliasing.tensor_parameters import (
    TENSOR_ATTRIBUTES,
    ArgumentKind,
    argument_kind,
)
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

FILLING = frozenset({"copy_", "fill_", "zero_"})


def is_tensor_of_forward(write: ArgumentWrite, function: Function, file: FileView) -> bool:
    """Return whether a helper steps an argument of a `forward`, which takes its result for a tensor."""
    if not isinstance(write.node, ast.AugAssign) or not isinstance(write.target, ast.Name):
        return False
    return any(
        caller.name == "forward"
        and isinstance(above := file.parent(call), ast.Attribute)
        and above.attr in TENSOR_ATTRIBUTES
        for call, caller in file.once(argument_flows).callers(function)
    )


def _is_input_of_layer(name: str, function: Function, file: FileView) -> bool:
    """Return whether a method passes a name to a layer of torch that its object holds."""
    table = file.once(class_table)
    owner = table.owner(function)
    if owner is None:
        return False
    family = table.family(owner)
    for call in scan(function, {ast.Call}):
        holder, _, layer = (
            dotted(call.func).partition(".") if isinstance(call, ast.Call) else ("",) * 3
        )
        if holder != "self" or not isinstance(call, ast.Call) or name not in map(dotted, call.args):
            continue
        made = [use.value for use in family.bindings(layer)]
        if made and all(_is_layer(value, file) for value in made):
            return True
    return False


def _is_layer(value: ast.expr | None, file: FileView) -> bool:
    return isinstance(value, ast.Call) and (file.resolve(value.func) or "").startswith("torch.nn.")


def is_of_tensor(write: ArgumentWrite, function: Function, file: FileView) -> bool:
    """Return whether what is written is a tensor of the caller, or an item that is replaced."""
    if is_item_removal(write.node):
        return dotted(write.target) == write.parameter
    target = write.target.value if isinstance(write.target, ast.Subscript) else write.target
    name = dotted(target) or write.parameter
    kind = argument_kind(function, write.parameter, name, file.resolve)
    key = write.target.slice if isinstance(write.target, ast.Subscript) else None
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return False
    if isinstance(write.node, ast.Call) and terminal_name(write.node.func) in FILLING:
        # A parameter that is filled as a whole is a destination.
        return dotted(write.target) != write.parameter
    if kind is ArgumentKind.TENSOR or (kind is ArgumentKind.CONTAINER and write.part == ITEM):
        return True
    if kind is ArgumentKind.UNKNOWN and _is_input_of_layer(name, function, file):
        return True
    if kind is ArgumentKind.OTHER or not isinstance(key, ast.Name):
        return False
    is_forward = function.name == "forward"
    return is_forward and write.is_replacing and write.part == WHOLE
