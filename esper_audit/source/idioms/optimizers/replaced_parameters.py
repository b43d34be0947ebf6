"""Statements after which a module has other parameters than before."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.following_statements import (
    NESTED,
    assigned_to,
    helper_calls,
)
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, is_constant, terminal_name, text_of

REPLACING_METHODS = {
    "to_empty": "makes new parameters",
    "resize_token_embeddings": "makes new embeddings",
    "add_module": "adds a module",
    "register_module": "adds a module",
    "register_parameter": "adds a parameter",
    "set_submodule": "replaces a module",
    "tie_weights": "replaces a weight",
}
REPLACING_FUNCTIONS = {
    "torch.distributed.fsdp.fully_shard": "replaces the parameters by shards",
    "torch.distributed._composable.fsdp.fully_shard": "replaces the parameters by shards",
    "torch.distributed.fsdp.FullyShardedDataParallel": "replaces the parameters by shards",
    "torch.distributed.tensor.parallel.parallelize_module": "replaces the parameters by shards",
    "torch.nn.utils.parametrizations.weight_norm": "replaces the weight",
    "torch.nn.utils.parametrizations.spectral_norm": "replaces the weight",
    "torch.nn.utils.parametrizations.orthogonal": "replaces the weight",
    "torch.nn.utils.weight_norm": "replaces the weight",
    "peft.get_peft_model": "adds parameters",
    "copy.deepcopy": "copies the parameters",
}
# Modules of torch that have no parameters.
PARAMETERLESS = re.compile(
    r"(?<!With)Loss$|^(Adaptive)?(Avg|Max|LP)Pool|^(Log)?Softm(ax|in)|Dropout|Pad\dd$|^(Identity|Flatten|Unflatten"
    r"|ReLU6?|LeakyReLU|ELU|SELU|CELU|GELU|SiLU|Mish|Sigmoid|Tanh|Hard\w+|LogSigmoid|Softplus|Upsample)$"
)
LIST_METHODS = frozenset({"append", "insert"})
PLAIN_ATTRIBUTES = frozenset({"requires_grad", "data", "grad", "training", "config"})


class ParameterChange(NamedTuple):
    """A place where a module gets other parameters, and what happens to them."""

    node: ast.expr | ast.stmt
    effect: str


def parameter_changes(
    statement: ast.stmt, module: str, file: FileView, depth: int = 1
) -> Iterator[ParameterChange]:
    """Yield the places in a statement, and in the functions of the file that it calls, that change a module."""
    for node in scan(statement, {ast.Assign}, NESTED):
        if isinstance(node, ast.Assign):
            effect = next(
                (e for t in node.targets if (e := _effect(t, node.value, module, file))), ""
            )
            if effect:
                yield ParameterChange(node, effect)
    for node in scan(statement, {ast.Call}, NESTED):
        if isinstance(node, ast.Call) and (effect := _effect_of_call(node, module, file)):
            yield ParameterChange(node, effect)
    if depth:
        for _, function, parameter in helper_calls(statement, module, file):
            for inner in function.body:
                yield from parameter_changes(inner, parameter, file, depth - 1)
        for method, name in _methods(statement, module, file):
            for inner in method.body:
                yield from parameter_changes(inner, name, file, depth - 1)


def _methods(statement: ast.stmt, module: str, file: FileView) -> Iterator[tuple[Function, str]]:
    """Yield the methods that a statement calls on the owner of a module, or on it, with its name there."""
    calls, made = file.once(LocalCalls), file.once(Constructors)
    for call in scan(statement, {ast.Call}, NESTED):
        function = call.func if isinstance(call, ast.Call) else None
        owner = dotted(function.value) if isinstance(function, ast.Attribute) else ""
        if owner == "self" != module and module.startswith("self.") and isinstance(call, ast.Call):
            found, name = [calls.target(call)], module
        elif owner == module and isinstance(function, ast.Attribute):
            kinds = (calls.class_named(each[1:]) for each in made.of(function.value))
            found, name = [calls.method(kind, function.attr) for kind in kinds], "self"
        else:
            continue
        yield from ((method, name) for method in found if method is not None)


def is_rebound(statement: ast.stmt, name: str) -> bool:
    """Return whether a statement assigns to a name."""
    return any(target == name for target, _ in assigned_to(statement))


def _effect(target: ast.expr, value: ast.expr, module: str, file: FileView) -> str:
    """Return what an assignment does to the parameters of a module, empty for nothing."""
    name = text_of(target)
    if name == module:
        return "is another module" if _makes_module(value, file) else ""
    if not isinstance(target, (ast.Attribute, ast.Subscript)):
        return ""
    if not name.startswith((f"{module}.", f"{module}[")):
        return ""
    if isinstance(target, ast.Attribute) and target.attr in PLAIN_ATTRIBUTES:
        return ""
    if _makes_module(value, file):
        return "has new parameters"
    is_tied = dotted(value).startswith(f"{module}.") and dotted(value).endswith(".weight")
    return "shares another parameter" if is_tied and name.endswith(".weight") else ""


def _makes_module(value: ast.expr, file: FileView) -> bool:
    """Return whether an expression makes a module or a parameter."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if isinstance(value.func.value, ast.Call):
            value = value.func.value
            continue
        break
    if not isinstance(value, ast.Call):
        return False
    name = file.resolve(value.func) or ""
    if name.startswith("torch.nn.") and name.count(".") == 2:
        last = name.rpartition(".")[2]
        has_none = last == "DataParallel" or PARAMETERLESS.search(last) is not None
        return last[:1].isupper() and not has_none
    definition = file.once(LocalCalls).class_named(terminal_name(value.func))
    bases = definition.bases if definition is not None and not name else []
    return any(terminal_name(base) in ("Module", "Sequential") for base in bases)


def _effect_of_call(call: ast.Call, module: str, file: FileView) -> str:
    function = REPLACING_FUNCTIONS.get(file.resolve(call.func) or "")
    if function is not None:
        given = text_of(call.args[0]) if call.args else ""
        is_whole = given == module
        is_kept = "copies" in function or "adds" in function
        if is_kept:
            return function if is_whole and _is_rebinding(call, module, file) else ""
        return function if is_whole or given.startswith(f"{module}.") else ""
    if isinstance(call.func, ast.Name) and call.func.id == "setattr" and len(call.args) == 3:
        owner = text_of(call.args[0])
        is_own = owner == module or owner.startswith(f"{module}.")
        return "has new parameters" if is_own and _makes_module(call.args[2], file) else ""
    if not isinstance(call.func, ast.Attribute):
        return ""
    receiver = text_of(call.func.value)
    if receiver != module and not receiver.startswith(f"{module}."):
        return ""
    if call.func.attr == "to" and _is_meta(call):
        return "has no parameters with data any more"
    if call.func.attr in LIST_METHODS and receiver != module:
        is_added = any(_makes_module(argument, file) for argument in call.args)
        return "has new parameters" if is_added else ""
    if call.func.attr == "load_state_dict":
        is_assigned = any(k.arg == "assign" and is_constant(k.value, True) for k in call.keywords)
        return "has the loaded tensors for parameters" if is_assigned else ""
    return REPLACING_METHODS.get(call.func.attr, "")


def _is_rebinding(call: ast.Call, module: str, file: FileView) -> bool:
    """Return whether the result of a call is assigned to the module's own name."""
    statement = file.enclosing(call)[-1]
    return any(target == module and value is call for target, value in assigned_to(statement))


def _is_meta(call: ast.Call) -> bool:
    values = [*call.args, *(k.value for k in call.keywords if k.arg == "device")]
    texts = {ast.unparse(value) for value in values}
    return not texts.isdisjoint({"'meta'", "torch.device('meta')"})
