"""Whether a write into an argument may be what the caller of the function expects."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.aliasing.alias_flow import AliasFlow, ArgumentWrite
from esper_audit.source.idioms.aliasing.argument_flows import ArgumentFlows
from esper_audit.source.idioms.aliasing.argument_part import WHOLE
from esper_audit.source.idioms.aliasing.shared_storage import (
    Resolve,
    is_item_removal,
    written_by_call,
)
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

# They change the shape of the object alone, not what other views of its storage see.
SHAPE_METHODS = frozenset({"squeeze_", "unsqueeze_", "transpose_", "t_", "swapaxes_", "swapdims_"})
BOUNDING_METHODS = frozenset({"clamp_", "clamp_min_", "clamp_max_", "clip_", "fill_diagonal_"})
COPYING_METHODS = frozenset({"copy", "clone"})
DRAWS = frozenset(
    {"rand", "randn", "randint", "randperm", "sample", "choice", "choices", "multinomial"}
    | {"bernoulli", "permutation", "uniform", "randrange", "random"}
)
DRAWS_IN_PLACE = frozenset({"uniform_", "normal_", "bernoulli_", "random_", "exponential_"})
DEEPEST = 3
ASSIGNMENTS = frozenset({ast.Assign, ast.AnnAssign})
NUMBERS = frozenset({"int", "float", "bool", "str"})


def is_unseen(write: ArgumentWrite, function: Function) -> bool:
    """Return whether a write changes nothing that the caller can read.

    It changes the shape of a view that is an object of its own, or a number that is bound anew. A
    parameter that the function only writes is where the caller wants a result.
    """
    name = _owner(write)
    if isinstance(write.node, ast.AugAssign) and isinstance(write.target, ast.Name):
        return any(_is_test_for_number(call, name) for call in scan(function, {ast.Call}))
    if function.name != "forward" and _is_only_written(write, function):
        return True
    is_shape = isinstance(write.node, ast.Call) and terminal_name(write.node.func) in SHAPE_METHODS
    return is_shape and (name != write.parameter or _bindings(write, function) > 0)


def _is_only_written(write: ArgumentWrite, function: Function) -> bool:
    """Return whether the one use of a parameter is that a method with a trailing underscore changes it."""
    statements = [s for s in scan(function, {ast.Expr}) if isinstance(s, ast.Expr)]
    if not isinstance(write.node, ast.Call) or all(s.value is not write.node for s in statements):
        return False
    uses = [
        n for n in scan(function, {ast.Name}) if isinstance(n, ast.Name) and n.id == write.parameter
    ]
    own = [n for n in ast.walk(write.target) if isinstance(n, ast.Name) and n.id == write.parameter]
    values = [*write.node.args, *(keyword.value for keyword in write.node.keywords)]
    sizes = [
        n
        for value in values
        for call in ast.walk(value)
        if isinstance(call, ast.Call) and terminal_name(call.func) in ("to", "type_as")
        for n in call.args
    ]
    return bool(own) and all(use in own or use in sizes for use in uses)


def is_expected_of(
    function: Function, write: ArgumentWrite, flows: ArgumentFlows, file: FileView
) -> bool:
    """Return whether to modify the argument may be the task of the function.

    A method with a name of its own has one caller or a protocol, a function that returns its argument
    hands back what it was given to fill, and a bound that is applied twice gives the same.
    """
    if _is_restored(write, function) or _is_sample_transform(write, function):
        return True
    if function.name == "forward":
        is_random = _is_random_fill(write, function) or _is_random_step(write, function)
        return is_random and write.parameter in flows.flow(function).returned
    if function.name != "__call__" and file.once(class_table).owner(function) is not None:
        return True
    called = terminal_name(write.node.func) if isinstance(write.node, ast.Call) else ""
    is_returned = write.parameter in flows.flow(function).returned
    if _is_undeclared_fill(write, function):
        return True
    return called in BOUNDING_METHODS or is_returned or bool(_returned_with(write, function))


def _is_given_by_forward(write: ArgumentWrite, function: Function, flows: ArgumentFlows) -> bool:
    """Return whether a forward of the file passes what it is given itself for the argument."""
    names = [p.arg for p in parameters(function.args) if p.arg not in ("self", "cls")]
    at = names.index(write.parameter) if write.parameter in names else len(names)
    return any(
        caller.name == "forward" and dotted(given) in {p.arg for p in parameters(caller.args)}
        for call, caller in flows.callers(function)
        for given in call.args[at : at + 1]
    )


def _returned_with(write: ArgumentWrite, function: Function) -> set[str]:
    """Return the names that a tuple hands back together with the argument, empty if none does."""
    found: set[str] = set()
    for node in scan(function, {ast.Return}, NESTED_SCOPES):
        value = node.value if isinstance(node, ast.Return) else None
        names = {dotted(part) for part in value.elts} if isinstance(value, ast.Tuple) else set()
        found |= names - {write.parameter, ""} if write.parameter in names else set()
    return found


def _is_sample_transform(write: ArgumentWrite, function: Function) -> bool:
    """Return whether a function hands back several of its arguments, as the transform of a sample does."""
    given = {parameter.arg for parameter in parameters(function.args)}
    return bool(_returned_with(write, function) & given)


def _is_restored(write: ArgumentWrite, function: Function) -> bool:
    """Return whether the function copies what it overwrites above, and assigns the copy below."""
    if not isinstance(write.target, ast.Subscript):
        return False
    place = ast.unparse(write.target)
    assigned = [n for n in scan(function, {ast.Assign}) if isinstance(n, ast.Assign)]
    copies = {
        dotted(node.targets[0])
        for node in assigned
        if isinstance(node.value, ast.Call) and terminal_name(node.value.func) in COPYING_METHODS
        if isinstance(node.value.func, ast.Attribute)
        if ast.unparse(node.value.func.value) == place
    }
    return any(
        dotted(node.value) in copies - {""} and ast.unparse(node.targets[0]) == place
        for node in assigned
    )


def _is_undeclared_fill(write: ArgumentWrite, function: Function) -> bool:
    """Return whether a constant is assigned to places of a parameter without an annotation."""
    found = next((p for p in parameters(function.args) if p.arg == write.parameter), None)
    value = write.node.value if isinstance(write.node, ast.Assign) else None
    is_constant = isinstance(value, (ast.Constant, ast.UnaryOp))
    return is_constant and found is not None and found.annotation is None


def _is_random_step(write: ArgumentWrite, function: Function) -> bool:
    """Return whether an argument is changed by what the function draws at random."""
    if not isinstance(write.node, ast.AugAssign):
        return False
    read = names_in(write.node.value)
    values: list[ast.AST] = [write.node.value]
    values += [
        node.value
        for node in scan(function, {ast.Assign})
        if isinstance(node, ast.Assign) and {dotted(target) for target in node.targets} & read
    ]
    calls = [call for value in values for call in ast.walk(value) if isinstance(call, ast.Call)]
    return any(terminal_name(call.func) in DRAWS | DRAWS_IN_PLACE for call in calls)


def _is_random_fill(write: ArgumentWrite, function: Function) -> bool:
    """Return whether a constant is assigned at places that the function draws at random."""
    if not isinstance(write.node, ast.Assign) or not isinstance(write.node.value, ast.Constant):
        return False
    if not isinstance(write.target, ast.Subscript):
        return False
    read = names_in(write.target.slice)
    bound: list[tuple[list[ast.expr], ast.expr]] = []
    for node in scan(function, {ast.Assign, ast.For}):
        if isinstance(node, ast.Assign):
            bound.append((node.targets, node.value))
        elif isinstance(node, ast.For):
            bound.append(([node.target], node.iter))
    for _ in range(DEEPEST):
        read |= {
            n.id
            for targets, value in bound
            if any(isinstance(p, ast.Name) and p.id in read for t in targets for p in ast.walk(t))
            for n in ast.walk(value)
            if isinstance(n, ast.Name)
        }
    return any(
        isinstance(call, ast.Call) and terminal_name(call.func) in DRAWS
        for targets, value in bound
        if any(isinstance(p, ast.Name) and p.id in read for t in targets for p in ast.walk(t))
        for call in ast.walk(value)
    )


def is_filling(write: ArgumentWrite, function: Function, flows: ArgumentFlows) -> bool:
    """Return whether a helper assigns the same constant to some places each time.

    One that binds the name again may have a copy, unless a forward passes what it is given itself.
    """
    value = write.node.value if isinstance(write.node, ast.Assign) else None
    is_own = isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name)
    is_bound = _bindings(write, function) > 0 and not _is_given_by_forward(write, function, flows)
    return isinstance(value, ast.Constant) or is_own or is_bound


def is_of_callee(write: ArgumentWrite, resolve: Resolve) -> bool:
    """Return whether a write is that of a function that is called, where it is judged."""
    is_own = is_item_removal(write.node)
    return isinstance(write.node, ast.Call) and not (is_own or written_by_call(write.node, resolve))


def is_partial(write: ArgumentWrite, function: Function, flow: AliasFlow, is_tensor: bool) -> bool:
    """Return whether a write reaches a slot of a container, or a name that has other values, too.

    The slots are those of a list, by number, or of a dict that the function returns.
    """
    if _owner(write) != write.parameter and _bindings(write, function) > 1:
        return True
    if is_tensor or write.part != WHOLE or not isinstance(write.target, ast.Subscript):
        return False
    key = write.target.slice
    is_counted = isinstance(key, ast.Name) and key.id in flow.integers
    return is_counted or write.parameter in flow.returned


def has_result(function: Function) -> bool:
    """Return whether a function has a result that is no constant."""
    annotation = function.returns
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return False
    returned = (
        node for node in scan(function, {ast.Return}, NESTED_SCOPES) if isinstance(node, ast.Return)
    )
    return any(r.value is not None and not isinstance(r.value, ast.Constant) for r in returned)


def _owner(write: ArgumentWrite) -> str:
    target = write.target
    while isinstance(target, ast.Subscript):
        target = target.value
    return dotted(target)


def _bindings(write: ArgumentWrite, function: Function) -> int:
    """Return how often the name that is written is bound by other assignments above."""
    name = _owner(write)
    above = [
        node
        for node in scan(function, ASSIGNMENTS)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and _binds(node, name)
        if (node.end_lineno or node.lineno) < write.node.lineno
    ]
    return len(above)


def _binds(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    parts = [p for t in targets for p in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return any(isinstance(part, ast.Name) and part.id == name for part in parts)


def _is_test_for_number(call: ast.AST, name: str) -> bool:
    """Return whether a call is an `isinstance` test of a name for a number or a text."""
    if not isinstance(call, ast.Call) or dotted(call.func) != "isinstance" or len(call.args) != 2:
        return False
    kinds = call.args[1].elts if isinstance(call.args[1], ast.Tuple) else [call.args[1]]
    return dotted(call.args[0]) == name and all(dotted(kind) in NUMBERS for kind in kinds)
