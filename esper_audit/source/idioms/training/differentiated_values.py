"""Values through which a backward pass goes: by name in one function, or by the result of a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.numerics.forward_inputs import is_cut
from esper_audit.source.idioms.numerics.gradient_modes import is_from_input, is_without_gradients
from esper_audit.source.syntax.ast_walk import returned_values, scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters


def differentiated(function: Function) -> set[str]:
    """Return the names whose `backward` a function calls, also through a scaler or a trainer."""
    found = {dotted(operand) for operand in _operands_of_backward(function)}
    return found - {"", "self"}


def is_part_of_differentiated_result(sample: ast.expr, function: Function, file: FileView) -> bool:
    """Return whether a value from an argument goes into a result whose `backward` the file calls."""
    if not dotted(sample) or is_cut(sample, file) or not is_from_input(sample, file):
        return False
    if dotted(sample) not in _contributing(function):
        return False
    calls = file.once(Constructors).calls_of(function)
    return any(_is_differentiated(call, file) for call in calls)


def is_given_differentiated(sample: ast.expr, function: Function, file: FileView) -> bool:
    """Return whether a value is an argument for which a caller passes a value whose `backward` it calls."""
    name = dotted(sample)
    if name not in {p.arg for p in parameters(function.args)} or is_cut(sample, file):
        return False
    for call in file.once(Constructors).calls_of(function):
        callers = file.functions(call)
        given = file.once(LocalCalls).arguments(call, function).get(name)
        if given is None or not callers or is_without_gradients(call, file):
            continue
        if dotted(given) in differentiated(callers[-1]) and not is_cut(given, file):
            return True
    return False


def _operands_of_backward(function: Function) -> Iterator[ast.expr]:
    for call in scan(function, {ast.Call}):
        assert isinstance(call, ast.Call)
        if not isinstance(call.func, ast.Attribute) or "backward" not in call.func.attr:
            continue
        if call.func.attr == "save_for_backward":
            continue  # an operation of autograd, which runs without a graph
        receiver = call.func.value
        yield from (receiver, *call.args)
        yield from receiver.args if isinstance(receiver, ast.Call) else ()


def _contributing(function: Function) -> set[str]:
    """Return the names from which a function computes what it returns."""
    found = {name for value in returned_values(function) for name in _names(value)}
    assigned = [
        (dotted(target), _names(node.value))
        for node in scan(function, {ast.Assign, ast.AugAssign})
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    before = 0
    while before != len(found):
        before = len(found)
        found |= {name for target, names in assigned if target in found for name in names}
    return found


def _names(node: ast.expr) -> set[str]:
    return {part.id for part in walk(node) if isinstance(part, ast.Name)}


def _is_differentiated(call: ast.Call, file: FileView) -> bool:
    """Return whether the `backward` of a result is called, directly or through the name that it has."""
    functions = file.functions(call)
    operands = list(_operands_of_backward(functions[-1])) if functions else []
    if any(part is call for operand in operands for part in walk(operand)):
        return True
    statement = file.enclosing(call)[-1]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    names = {name for target in targets for name in _names(target)}
    return any(not names.isdisjoint(_names(operand)) for operand in operands)
