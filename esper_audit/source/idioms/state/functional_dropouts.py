"""Calls of functional dropouts, also under the name of an attribute, and whether they depend on the mode."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.classes.file_classes import ClassFamily
from esper_audit.source.idioms.numerics.guards import tests_around
from esper_audit.source.idioms.numerics.tensor_calls import enclosing_family
from esper_audit.source.idioms.numerics.value_origins import passed_arguments
from esper_audit.source.idioms.state.module_modes import has_mode
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import defaults, dotted, parameters, terminal_name

ALWAYS_ON = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d"})
ALWAYS_OFF = frozenset({"alpha_dropout", "feature_alpha_dropout"})
POSITION_OF_TRAINING = 2
ATTENTION = "scaled_dot_product_attention"
POSITION_OF_RATE = 4
MODES = frozenset({ast.Name, ast.Attribute})


def dropout_without_mode(node: ast.Call, file: FileView) -> str:
    """Return the name of a functional dropout that is called, or bound by `partial`, without a mode."""
    target = file.resolve(node.func) or _aliased(node.func, file)
    arguments = node.args
    if target == "functools.partial" and arguments:
        target = file.resolve(arguments[0]) or ""
        arguments = arguments[1:]
    name = target.removeprefix("torch.nn.functional.")
    if name == target or name not in ALWAYS_ON | ALWAYS_OFF:
        return ""
    if len(arguments) > POSITION_OF_TRAINING or any(isinstance(a, ast.Starred) for a in arguments):
        return ""
    keywords = {k.arg for k in node.keywords}
    if keywords & {"training", None} or any(has_mode(k.value) for k in node.keywords):
        return ""
    rate = next((k.value for k in node.keywords if k.arg == "p"), None) or next(
        iter(arguments[1:2]), None
    )
    if _is_commented(node, file):
        return ""
    is_off = isinstance(rate, ast.Constant) and rate.value == 0
    if isinstance(rate, ast.Name) and _is_set_by_caller(rate, file):
        return ""
    if _is_asked_for(node, file):
        return ""
    return "" if is_off or any(map(has_mode, arguments)) else name


def rate_of_attention(node: ast.Call, file: FileView) -> ast.expr | None:
    """Return the dropout rate of an attention function that is a number, or that `__init__` alone sets."""
    if file.resolve(node.func) != f"torch.nn.functional.{ATTENTION}" or _is_commented(node, file):
        return None
    named = (k.value for k in node.keywords if k.arg == "dropout_p")
    rate = next(named, None) or next(iter(node.args[POSITION_OF_RATE:]), None)
    if isinstance(rate, ast.Constant):
        return rate if rate.value else None
    family = enclosing_family(node, file)
    if family is None or not isinstance(rate, ast.Attribute) or has_mode(rate):
        return None
    held = rate.value if rate.attr == "p" else rate
    _, _, name = dotted(held).partition("self.")
    bound = family.bindings(name)
    is_set = bound and all(use.method.name == "__init__" for use in bound)
    is_number = all(not isinstance(u.value, ast.Constant) or u.value.value for u in bound)
    is_free = is_set and is_number and not _is_tested(name, node, family, file)
    return rate if is_free else None


def _is_tested(name: str, node: ast.Call, family: ClassFamily, file: FileView) -> bool:
    """Return whether a condition around a call tests a rate, itself or by an attribute bound to that."""
    tests = list(tests_around(node, file))
    flags = (p for t in tests for p in scan(t, {ast.Attribute}) if isinstance(p, ast.Attribute))
    tests += [use.value for flag in flags for use in family.bindings(flag.attr) if use.value]
    parts = (part for test in tests for part in scan(test, {ast.Attribute, ast.Name}))
    return any(terminal_name(part) == name for part in parts if isinstance(part, ast.expr))


def _is_commented(node: ast.Call, file: FileView) -> bool:
    """Return whether a comment of the function above a dropout mentions it."""
    functions = file.functions(node)
    start = functions[-1].lineno if functions else node.lineno
    comments = (line.partition("#")[2] for line in file.source.lines[start - 1 : node.lineno - 1])
    return any("dropout" in comment.lower() for comment in comments)


def _is_switched_off(rate: ast.Name, file: FileView) -> bool:
    """Return whether a condition on the mode binds the rate of a dropout anew."""
    functions = file.functions(rate)
    branches = scan(functions[-1], {ast.If}) if functions else []
    return any(
        isinstance(branch, ast.If)
        and any(dotted(part).endswith("training") for part in scan(branch.test, MODES))
        and any(
            isinstance(target, ast.Name) and target.id == rate.id
            for assigned in scan(branch, {ast.Assign})
            if isinstance(assigned, ast.Assign)
            for target in assigned.targets
        )
        for branch in branches
    )


def _is_set_by_caller(rate: ast.Name, file: FileView) -> bool:
    """Return whether a rate depends on the mode, or is a parameter without a call that sets it."""
    return (
        _is_switched_off(rate, file) or _is_by_caller(rate, file) or _is_zero_by_default(rate, file)
    )


def _is_zero_by_default(rate: ast.Name, file: FileView) -> bool:
    """Return whether a rate is a parameter that is 0 by default, and that no call of the file passes."""
    functions = file.functions(rate)
    default = defaults(functions[-1].args).get(rate.id) if functions else None
    is_zero = isinstance(default, ast.Constant) and default.value == 0
    return is_zero and not passed_arguments(rate, file)


def _is_by_caller(rate: ast.Name, file: FileView) -> bool:
    """Return whether a rate is a parameter that a caller of the file sets by the mode."""
    functions = file.functions(rate)
    if not functions or rate.id not in {p.arg for p in parameters(functions[-1].args)}:
        return False
    calls = (c for c in file.nodes(ast.Call) if terminal_name(c.func) == functions[-1].name)
    passed = (a for c in calls for a in (*c.args, *(k.value for k in c.keywords)))
    return any(isinstance(a, ast.Name) and _is_switched_off(a, file) for a in passed)


def _is_asked_for(node: ast.Call, file: FileView) -> bool:
    """Return whether a dropout is below a switch that a caller passes to the function."""
    functions = file.functions(node)
    given = {p.arg for p in parameters(functions[-1].args)} if functions else set()
    branches = [s for s in file.enclosing(node) if isinstance(s, ast.If)]
    return any(isinstance(b.test, ast.Name) and b.test.id in given for b in branches)


def is_possible_alias(node: ast.AST) -> bool:
    """Return whether an attribute may be `F.dropout`, not `self.dropout`."""
    return isinstance(node, ast.Attribute) and dotted(node.value) not in ("self", "")


def calls_of_alias(node: ast.Attribute, file: FileView) -> Iterator[ast.Call]:
    """Yield the calls of the attribute of an object to which a class binds `F.dropout` itself."""
    above = file.parent(node)
    target = above.targets[0] if isinstance(above, ast.Assign) else None
    family = enclosing_family(node, file)
    if family is None or not isinstance(target, ast.Attribute) or dotted(target.value) != "self":
        return
    for read in family.reads(target.attr):
        call = file.parent(read.node)
        if isinstance(call, ast.Call) and call.func is read.node:
            yield call


def _aliased(function: ast.expr, file: FileView) -> str:
    """Return the full name of the function that a class binds to the attribute that is called."""
    if not isinstance(function, ast.Attribute) or dotted(function.value) != "self":
        return ""
    family = enclosing_family(function, file)
    bound = family.bindings(function.attr) if family is not None else []
    value = bound[0].value if len(bound) == 1 else None
    return file.resolve(value) or "" if value is not None else ""
