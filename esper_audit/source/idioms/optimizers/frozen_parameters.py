"""Statements that freeze all parameters of a module, or may unfreeze some."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.following_statements import NESTED, SCOPES, helper_calls
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.syntax.ast_walk import returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import (
    Function,
    defaults,
    dotted,
    is_constant,
    terminal_name,
    text_of,
)

# Calls that take a module and keep its parameters as they are.
HARMLESS = frozenset(
    {"print", "len", "sum", "next", "iter", "list", "id", "type", "str", "repr", "isinstance"}
    | {
        "filter",
        "tuple",
        "chain",
        "info",
        "debug",
        "warning",
        "DataParallel",
        "DistributedDataParallel",
        "compile",
    }
)
HARMLESS_METHODS = frozenset(
    {"to", "cuda", "cpu", "eval", "train", "parameters", "named_parameters", "state_dict"}
    | {"half", "float", "zero_grad", "modules", "named_modules", "buffers", "load_state_dict"}
    | {"requires_grad_"}
)
# Methods of a module's object that bind no parameter.
SETTING = frozenset({"register_buffer", "save_hyperparameters"}) | HARMLESS_METHODS
VISITING = frozenset({"modules", "named_modules", "children", "named_children"})


def freezes_all(
    statement: ast.stmt,
    module: str,
    file: FileView,
    depth: int = 1,
    off: frozenset[str] = frozenset(),
) -> bool:
    """Return whether a statement freezes every parameter of a module without a condition.

    `off` are the names that are False: `requires_grad = flag` freezes by them.
    """
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        if _is_switch(statement.value, module, truth=False):
            return True
        return depth > 0 and _freezes_by_helper(statement, module, file)
    if isinstance(statement, ast.Assign):
        is_bound = module in map(text_of, statement.targets)
        return is_bound and _is_frozen(statement.value, file)
    if isinstance(statement, ast.For) and isinstance(statement.iter, ast.Call):
        if text_of(statement.iter) in (f"{module}.modules()", f"{module}.children()"):
            part = text_of(statement.target)
            return any(freezes_all(inner, part, file, depth, off) for inner in statement.body)
        is_all = text_of(statement.iter) in (
            f"{module}.parameters()",
            f"{module}.named_parameters()",
        )
        return is_all and any(_freezes_element(inner, off) for inner in statement.body)
    return False


def _freezes_by_helper(statement: ast.stmt, module: str, file: FileView) -> bool:
    """Return whether a function of the file that a statement calls freezes a module, perhaps by a flag."""
    for call, function, parameter in helper_calls(statement, module, file):
        given = defaults(function.args) | dict(file.once(LocalCalls).arguments(call, function))
        off = frozenset(name for name, value in given.items() if is_constant(value, False))
        if any(freezes_all(inner, parameter, file, 0, off) for inner in function.body):
            return True
    return _freezes_by_method(statement, module, file)


def _thaws(method: Function, file: FileView) -> bool:
    """Return whether a method of the same class lets parameters train again."""
    owner = next(
        (d for d in reversed(file.definitions(method)) if isinstance(d, ast.ClassDef)), None
    )
    for node in scan(owner or method, {ast.Assign, ast.Call}):
        if isinstance(node, ast.Assign) and _sets_requires_grad(node):
            return True
        is_switch = isinstance(node, ast.Call) and terminal_name(node.func) == "requires_grad_"
        if (
            is_switch
            and isinstance(node, ast.Call)
            and not any(is_constant(a, False) for a in node.args)
        ):
            return True
    return False


def _freezes_by_method(statement: ast.stmt, module: str, file: FileView) -> bool:
    """Return whether a statement runs a method, of its object or of one that the file makes, that freezes a part."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    calls, owner = file.once(LocalCalls), text_of(call.func.value)
    method = calls.target(call) or calls.method_of_object(call)
    if method is None or not _is_part_of(module, owner) or _thaws(method, file):
        return False
    part = f"self{module.removeprefix(owner)}"
    return any(freezes_all(inner, part, file, 0) for inner in method.body)


def frozen_in_class(module: ast.expr, file: FileView) -> int:
    """Return the line on which the class of an object freezes all of it or a part, 0 if it may train.

    `module` is the object or the part: `model` or `model.encoder`, `self.encoder` in another method.
    """
    calls, made = file.once(LocalCalls), file.once(Constructors)
    owner = module.value if isinstance(module, ast.Attribute) else module
    names = {origin[1:] for origin in made.of(owner) if origin.startswith(".")}
    classes = [found for name in sorted(names) if (found := calls.class_named(name)) is not None]
    if text_of(owner) == "self" and (around := calls.owner(module)) is not None:
        classes = [around]
    part = f"self.{module.attr}" if isinstance(module, ast.Attribute) else "self"
    return _frozen_line(classes[0], part, file) if len(classes) == 1 else 0


def _frozen_line(definition: ast.ClassDef, part: str, file: FileView) -> int:
    """Return the line in the `__init__` of a class after which a part of it is frozen for good, 0 without."""
    initialiser = file.once(LocalCalls).method(definition, "__init__")
    line = 0
    for statement in initialiser.body if initialiser is not None else ():
        if freezes_all(statement, part, file):
            line = statement.lineno
        elif may_unfreeze(statement, part) or _runs_foreign_method(statement, file):
            line = 0
    others = [f for f in definition.body if isinstance(f, SCOPES) and f is not initialiser]
    is_changed = any(may_unfreeze(s, part) or _visits_parts(s) for f in others for s in f.body)
    return 0 if is_changed else line


def _runs_foreign_method(statement: ast.stmt, file: FileView) -> bool:
    """Return whether a statement calls a method of its object that another file defines."""
    calls = (c for c in scan(statement, {ast.Call}, NESTED) if isinstance(c, ast.Call))
    own = (c for c in calls if isinstance(c.func, ast.Attribute) and dotted(c.func.value) == "self")
    known = file.once(LocalCalls)
    return any(known.target(c) is None and c.func.attr not in SETTING for c in own)  # type: ignore[attr-defined]  # a method


def _visits_parts(statement: ast.stmt) -> bool:
    """Return whether a statement goes over modules, which it may replace or change."""
    loops = (loop for loop in scan(statement, {ast.For}, NESTED) if isinstance(loop, ast.For))
    calls = (loop.iter for loop in loops if isinstance(loop.iter, ast.Call))
    return any(terminal_name(call.func) in VISITING for call in calls)


def may_unfreeze(statement: ast.stmt, module: str) -> bool:
    """Return whether a statement may give a module a parameter that trains."""
    for node in scan(statement, {ast.Assign, ast.Call}, NESTED):
        if isinstance(node, ast.Assign) and any(
            _is_part_of(text_of(target), module) for target in node.targets
        ):
            return True
        if isinstance(node, ast.Assign) and (_sets_requires_grad(node) or _renames(node, module)):
            return True
        if isinstance(node, ast.Call) and _may_change(node, module):
            return True
    return False


def trains(statement: ast.stmt) -> bool:
    """Return whether a statement runs a backward pass itself."""
    calls = (call for call in scan(statement, {ast.Call}, NESTED) if isinstance(call, ast.Call))
    return any(terminal_name(call.func) == "backward" for call in calls)


def _is_switch(call: ast.Call, owner: str, *, truth: bool) -> bool:
    """Return whether a call is `owner.requires_grad_(truth)`."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "requires_grad_":
        return False
    arguments = [*call.args, *(k.value for k in call.keywords)]
    value = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else None
    return text_of(call.func.value) == owner and value is truth


def _is_frozen(value: ast.expr, file: FileView) -> bool:
    """Return whether a value is `module.requires_grad_(False)` or `freeze(module)`, perhaps moved."""
    while isinstance(value, ast.Call):
        if _is_frozen_by_helper(value, file):
            return True
        if not isinstance(value.func, ast.Attribute):
            return False
        if value.func.attr == "requires_grad_":
            return _is_switch(value, text_of(value.func.value), truth=False)
        if value.func.attr not in HARMLESS_METHODS:
            return False
        value = value.func.value
    return False


def _is_frozen_by_helper(call: ast.Call, file: FileView) -> bool:
    """Return whether a function of the file freezes an argument and returns it."""
    calls = file.once(LocalCalls)
    target = calls.target(call)
    if target is None:
        return False
    for name in calls.arguments(call, target):
        results = list(returned_values(target))
        is_same = bool(results) and all(_receiver(result) == name for result in results)
        if is_same and any(freezes_all(s, name, file, 0) for s in target.body):
            return True
    return False


def _receiver(value: ast.expr) -> str:
    """Return the text of the object that methods are chained on which return it."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr not in HARMLESS_METHODS:
            return ""
        value = value.func.value
    return text_of(value)


def _freezes_element(statement: ast.stmt, off: frozenset[str]) -> bool:
    """Return whether a statement of a loop body freezes the parameter of the round."""
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
        is_flag = isinstance(target, ast.Attribute) and target.attr == "requires_grad"
        return is_flag and (is_constant(statement.value, False) or dotted(statement.value) in off)
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    is_off = call.func.attr == "requires_grad_" and dotted(next(iter(call.args), call)) in off
    return is_off or _is_switch(call, dotted(call.func.value), truth=False)


def _is_part_of(name: str, module: str) -> bool:
    return name == module or name.startswith((f"{module}.", f"{module}["))


def _renames(node: ast.Assign, module: str) -> bool:
    """Return whether a part of a module gets another name, under which it may be changed."""
    is_part = isinstance(node.value, (ast.Attribute, ast.Subscript))
    return is_part and text_of(node.value) != module and _is_part_of(text_of(node.value), module)


def _sets_requires_grad(node: ast.Assign) -> bool:
    target = node.targets[0]
    is_flag = isinstance(target, ast.Attribute) and target.attr == "requires_grad"
    return is_flag and not (isinstance(node.value, ast.Constant) and node.value.value is False)


def _may_change(call: ast.Call, module: str) -> bool:
    """Return whether a call may change which parameters of a module train."""
    last = terminal_name(call.func)
    if isinstance(call.func, ast.Attribute) and last == "requires_grad_":
        return not _is_switch(call, dotted(call.func.value), truth=False)
    if isinstance(call.func, ast.Attribute) and _is_part_of(text_of(call.func.value), module):
        return last not in HARMLESS_METHODS
    passed = [*call.args, *(k.value for k in call.keywords)]
    is_passed = any(_is_part_of(text_of(value), module) for value in passed)
    return is_passed and last not in HARMLESS
