"""The methods of `nn.Module` that torch calls, and what an override of them does."""

from __future__ import annotations

import ast
import re

from esper_audit.source.idioms.classes.attribute_use import AttributeUse
from esper_audit.source.idioms.classes.file_classes import ClassFamily
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, dotted, parameters, terminal_name

MODE_METHODS = frozenset({"train", "eval"})
MODULE_METHODS = MODE_METHODS | frozenset(
    {
        "type",
        "parameters",
        "named_parameters",
        "buffers",
        "named_buffers",
        "modules",
        "named_modules",
    }
    | {"children", "named_children", "to", "cpu", "cuda", "half", "float", "double", "bfloat16"}
    | {"apply", "state_dict", "load_state_dict", "zero_grad", "requires_grad_", "register_buffer"}
    | {"register_parameter", "add_module", "forward", "get_submodule", "share_memory"}
)
CALLABLE_MAKERS = frozenset(
    {"partial", "compile", "script", "trace", "MethodType", "wraps", "wrap"}
)
# Modules of torch that behave by their mode, or hold parts that may.
WITH_MODE = re.compile(
    r"^(Lazy)?(\w*Dropout|BatchNorm|SyncBatchNorm|InstanceNorm)|^(Sequential|Module(List|Dict))$|^Transformer"
)
PLAIN_CALLS = ("builtins.", "torch.nn.", "torch.device", "torch.tensor")
NO_CALLABLE = (
    *(ast.Constant, ast.List, ast.Dict, ast.Set, ast.Tuple, ast.Compare, ast.JoinedStr),
    *(ast.ListComp, ast.DictComp, ast.SetComp, ast.UnaryOp, ast.BinOp),
)


def is_callable_value(value: ast.expr, method: Function, name: str, file: FileView) -> bool:
    """Return whether a value can be called, or is not known."""
    if isinstance(value, NO_CALLABLE):
        return isinstance(value, ast.Constant) and value.value is None and name == "forward"
    if isinstance(value, (ast.IfExp, ast.BoolOp)):
        ways = value.values if isinstance(value, ast.BoolOp) else (value.body, value.orelse)
        return any(is_callable_value(way, method, name, file) for way in ways)
    if isinstance(value, ast.Call):
        target = file.resolve(value.func) or ""
        is_plain = (
            target.startswith(PLAIN_CALLS) and terminal_name(value.func) not in CALLABLE_MAKERS
        )
        return not is_plain or name == "forward"
    if isinstance(value, ast.Name):
        given = next((p for p in parameters(method.args) if p.arg == value.id), None)
        return given is None or name == "forward" or _is_callable_annotation(given)
    return True


def changes_mode(method: Function) -> bool:
    """Return whether an override changes the mode, through its base or of its parts, or raises instead."""
    calls = scan(method, {ast.Call})
    names = {
        call.func.attr
        for call in calls
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    }
    return (
        not MODE_METHODS.isdisjoint(names)
        or bool(scan(method, {ast.Raise}, NESTED_SCOPES))
        or _sets_training(method)
    )


def parts_without_mode(family: ClassFamily, file: FileView) -> list[str]:
    """Return the parts that behave by their mode and that an override of `train` never switches on or off.

    Empty where the override, or a method of its object that it calls, runs `train` of anything.
    """
    switched: set[str] = set()
    for method in family.reached_from("train"):
        calls = [call for call in scan(method, {ast.Call}) if isinstance(call, ast.Call)]
        if any(terminal_name(call.func) == "train" for call in calls):
            return []
        if scan(method, {ast.Raise}, NESTED_SCOPES):
            return []
        switched |= {_receiver(call, file) for call in calls if terminal_name(call.func) == "eval"}
    names = {name for member in family.members for name in member.bound}
    parts = [name for name in sorted(names) if _has_mode(family.bindings(name), file)]
    return [] if "" in switched else [name for name in parts if name not in switched]


def _receiver(call: ast.Call, file: FileView) -> str:
    """Return the attribute that `self.part.eval()` switches, empty where that may be any part.

    A loop over a slice of a part, or with a condition, switches nothing as a whole, which is `[`.
    """
    owner = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    around = file.enclosing(call)
    loops = [s for s in around if isinstance(s, ast.For)]
    if loops and any(isinstance(s, ast.If) for s in around[around.index(loops[-1]) :]):
        return "["
    source = next((s.iter for s in loops if dotted(s.target) == dotted(owner)), owner)
    if isinstance(source, ast.Subscript):
        return "["
    while isinstance(source, ast.Call) and isinstance(source.func, ast.Attribute):
        source = source.func.value
    parts = dotted(source).split(".")
    return parts[1] if len(parts) == 2 else "[" if len(parts) > 2 else ""


def _has_mode(uses: list[AttributeUse], file: FileView) -> bool:
    """Return whether an attribute is made as a module that behaves by its mode, or as one of several parts."""
    for use in uses:
        made = file.resolve(use.value.func) if isinstance(use.value, ast.Call) else None
        name = (made or "").removeprefix("torch.nn.")
        if made is not None and made.startswith("torch.nn.") and WITH_MODE.search(name):
            return True
    return False


def is_mode_switch(method: Function) -> bool:
    """Return whether an override of `train` or `eval` takes what the base takes, and runs no loop of training.

    A loop over modules or parameters sets flags.
    """
    given = defaults(method.args)
    taken = list(parameters(method.args))[1:]
    if len(taken) > 1 or any(p.arg not in given and p.arg != "mode" for p in taken):
        return False
    values = [given.get(p.arg) for p in taken]
    is_flag = any(
        p.arg == "mode" or (isinstance(value, ast.Constant) and isinstance(value.value, bool))
        for p, value in zip(taken, values, strict=True)
    )
    return is_flag or not (taken or scan(method, {ast.For, ast.While}, NESTED_SCOPES))


def has_result(method: Function) -> bool:
    """Return whether a method returns a value, or always raises."""
    if isinstance(method.body[-1], ast.Raise):
        return True
    found = scan(method, {ast.Return, ast.Yield}, NESTED_SCOPES)
    return any(isinstance(node, ast.Return) and node.value is not None for node in found)


def _sets_training(method: Function) -> bool:
    """Return whether a method sets the flag `training` itself."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "training"
        and isinstance(node.ctx, ast.Store)
        for node in scan(method, {ast.Attribute})
    )


def _is_callable_annotation(parameter: ast.arg) -> bool:
    return parameter.annotation is not None and "Callable" in ast.unparse(parameter.annotation)
