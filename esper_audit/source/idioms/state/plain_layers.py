"""Layers and parameters that a module keeps in a plain list, tuple or dict."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.numerics.layer_sizes import LAYERS
from esper_audit.source.idioms.state.assigned_values import AssignedValues
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

PARAMETERS = frozenset({"torch.nn.Parameter", "torch.nn.parameter.Parameter"})
MOVING = frozenset({"to", "cuda", "double", "half", "apply"})
PUTTING = frozenset({"append", "extend", "insert", "update", "setdefault"})
# What a function names that registers, moves, freezes or saves layers by itself.
HANDLING = frozenset(
    {"parameters", "named_parameters", "state_dict", "load_state_dict", "requires_grad"}
    | {"requires_grad_", "eval", "train", "ModuleList", "ModuleDict", "Sequential", "add_module"}
    | {"ParameterList", "register_module", "register_parameter", "named_children", "__dict__"}
)
INITIALISING = frozenset({"_init_weights", "init_weights", "reset_parameters", "_reset_parameters"})
CONVERSIONS = frozenset({"to", "_apply", "cuda", "cpu", "half", "float", "double", "children"})
AFFINE = frozenset({"affine", "elementwise_affine"})
BOUND_AND_PUT = 2
SIZED = frozenset({"len", "builtins.len"})


def is_layer(value: ast.expr, file: FileView) -> bool:
    """Return whether a value is a new layer with parameters, or a parameter."""
    call = _unmoved(value)
    if call is None:
        return False
    name = file.resolve(call.func) or ""
    if name == "torch.nn.Sequential":
        return any(is_layer(argument, file) for argument in call.args)
    if name in PARAMETERS or (name.startswith("torch.nn.") and name.rpartition(".")[2] in LAYERS):
        return not any(k.arg in AFFINE and is_false(k.value) for k in call.keywords)
    table = file.once(class_table)
    definition = table.by_name.get(dotted(call.func))
    if definition is None or not table.is_module(definition):
        return False
    bound = (use.value for found in table.members(definition).bound.values() for use in found)
    calls = (value for value in bound if isinstance(value, ast.Call))
    return any((file.resolve(c.func) or "").rpartition(".")[2] in LAYERS for c in calls)


def is_false(value: ast.expr) -> bool:
    """Return whether a value is the constant False."""
    return isinstance(value, ast.Constant) and value.value is False


def is_parameter(value: ast.expr, file: FileView) -> bool:
    """Return whether a value is a new parameter that can train."""
    call = _unmoved(value)
    is_frozen = call is not None and any(
        k.arg == "requires_grad" and is_false(k.value) for k in call.keywords
    )
    return call is not None and not is_frozen and file.resolve(call.func) in PARAMETERS


def elements(value: ast.expr) -> list[ast.expr] | None:
    """Return what a plain list, tuple or dict is built of, None for another value.

    A display of one element is none: it is the way to keep a module out of another on purpose.
    """
    if isinstance(value, ast.Call) and dotted(value.func) in ("list", "tuple", "dict"):
        inner = value.args[0] if len(value.args) == 1 else None
        if inner is None:
            return None if value.args or value.keywords else []
        return [inner.elt] if isinstance(inner, (ast.GeneratorExp, ast.ListComp)) else None
    if isinstance(value, (ast.List, ast.Tuple)):
        return list(value.elts) if len(value.elts) != 1 else []
    if isinstance(value, ast.Dict):
        return list(value.values)
    if isinstance(value, ast.DictComp):
        return [value.value]
    return [value.elt] if isinstance(value, ast.ListComp) else None


def put_elements(use: ast.Attribute, file: FileView) -> list[ast.expr] | None:
    """Return what `self.x.append(value)` and `self.x[k] = value` put, None for another use."""
    above = file.parent(use)
    outer = file.parent(above) if above is not None else None
    if isinstance(above, ast.Attribute) and above.attr in PUTTING and isinstance(outer, ast.Call):
        found: list[ast.expr] = []
        for argument in outer.args:
            found += elements(argument) or [_held(argument, file)]
        return found
    if (
        isinstance(above, ast.Subscript)
        and isinstance(outer, ast.Assign)
        and above in outer.targets
    ):
        return [_held(outer.value, file)]
    return None


def _held(value: ast.expr, file: FileView) -> ast.expr:
    """Return what a value is, through a local variable that nothing else uses."""
    if not isinstance(value, ast.Name):
        return value
    function = file.functions(value)[-1]
    named = (n for n in scan(function, {ast.Name}) if isinstance(n, ast.Name) and n.id == value.id)
    is_used_once = len(list(named)) == BOUND_AND_PUT
    return file.once(AssignedValues).held(value, function) if is_used_once else value


def is_only_visited(use: ast.Attribute, file: FileView) -> bool:
    """Return whether a use is the size, or a loop whose body cannot register what it visits."""
    above = file.parent(use)
    while isinstance(above, ast.Call) and terminal_name(above.func) in (
        "enumerate",
        "zip",
        "range",
    ):
        above = file.parent(above)
    if isinstance(above, ast.Call) and file.resolve(above.func) in SIZED:
        return True
    if not isinstance(above, ast.For):
        return False
    own = dotted(use.value)
    names = (n for s in above.body for n in scan(s, {ast.Name}) if isinstance(n, ast.Name))
    return all(name.id != own for name in names)


def uses_of(name: str, family: ClassFamily, file: FileView) -> Iterator[ast.Attribute]:
    """Yield the reads of an attribute in a file, without those of other classes' own objects."""
    table = file.once(class_table)
    own = {member.definition for member in family.members}
    for node in file.nodes(ast.Attribute):
        if node.attr != name or node.ctx.__class__ is not ast.Load:
            continue
        functions = file.functions(node)
        owner = table.owner(functions[-1]) if functions else None
        is_own_object = dotted(node.value) == "self"
        related = owner in own or owner is None
        related |= owner is not None and not own.isdisjoint(
            member.definition for member in table.family(owner).members
        )
        if related or not is_own_object:
            yield node


def is_handling(function: Function) -> bool:
    """Return whether a function may register, move, freeze or save layers by itself."""
    if function.name in HANDLING | CONVERSIONS:
        return True
    if function.name in INITIALISING:
        return False
    named = (n for n in scan(function, {ast.Attribute, ast.Name}))
    return any((n.attr if isinstance(n, ast.Attribute) else dotted(n)) in HANDLING for n in named)


def _unmoved(value: ast.expr) -> ast.Call | None:
    """Return the call that makes a value, through conversions, None for what is no call."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        inner = value.func.value
        if value.func.attr not in MOVING or inner.__class__ is not ast.Call:
            break
        value = inner
    return value if isinstance(value, ast.Call) else None
