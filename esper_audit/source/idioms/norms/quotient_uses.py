"""What a function does with a quotient: sum products of it, or scale a tensor by it."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.norms.loop_bindings import PARAMETERS
from esper_audit.source.idioms.norms.norm_expressions import (
    is_parameter_count,
    is_weight,
    name_of,
    split_epsilon,
)
from esper_audit.source.idioms.norms.norm_helpers import NormHelpers
from esper_audit.source.idioms.norms.norms import NormFlow
from esper_audit.source.syntax.ast_walk import names_in, scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, parameters, text_of

CONTRACTING = frozenset(
    {"matmul", "mm", "bmm", "einsum", "inner", "dot", "vecdot", "tensordot", "linear", "mv"}
)
SCALING = frozenset({"mul", "mul_", "_foreach_mul", "_foreach_mul_"})
TRANSPOSING = frozenset({"t", "transpose", "permute", "unsqueeze", "view", "reshape"})


def is_contracted(flow: NormFlow, division: ast.BinOp, file: FileView) -> bool:
    """Return whether a quotient, or a value computed from it, is multiplied as a matrix or vector.

    What a function returns may be multiplied by a caller in the file.
    """
    if any(_is_operand_of_product(use, flow) for use in flow.uses(division)):
        return True
    if not any(isinstance(flow.above(use), ast.Return) for use in flow.uses(division)):
        return False
    calls = file.once(LocalCalls).callers(flow.function)
    return any(_is_operand_in_caller(call, file) for call in calls)


def _is_operand_in_caller(call: ast.Call, file: FileView) -> bool:
    functions = file.functions(call)
    if not functions:
        return False
    flow = NormFlow(functions[-1], file.once(NormHelpers))
    return any(_is_operand_of_product(use, flow) for use in flow.uses(call))


def is_scale(flow: NormFlow, division: ast.BinOp) -> bool:
    """Return whether a method multiplies a tensor by a quotient, which is then the size of a step."""
    return any(name_of(_above(use, flow)) in SCALING for use in flow.uses(division))


def is_taken_both_ways(flow: NormFlow, division: ast.BinOp) -> bool:
    """Return whether a function divides two values by each other, as the sides of a shape."""
    above, below = _operands(division)
    return any(
        below & other_above and above & other_below
        for other_above, other_below in map(_operands, flow.divisions)
    )


def _operands(division: ast.BinOp) -> tuple[set[str], set[str]]:
    """Return the names above and below the line."""
    sides = (division.left, division.right)
    above, below = (names_in(side) for side in sides)
    return above - below, below - above


def is_guarded_by_callers(flow: NormFlow, division: ast.BinOp, file: FileView) -> bool:
    """Return whether the file calls a function, and each caller tests the norm of what it passes."""
    local, function = file.once(LocalCalls), flow.function
    subjects = {text_of(measured) for measured in flow.measures(split_epsilon(division.right)[0])}
    passed = [(call, local.arguments(call, function)) for call in local.callers(function)]
    return bool(passed) and all(
        _is_norm_tested(call, {text_of(a) for n, a in given.items() if n in subjects}, file)
        for call, given in passed
    )


def is_of_weights_by_callers(flow: NormFlow, factors: Sequence[ast.expr], file: FileView) -> bool:
    """Return whether the file calls a function, and each caller passes weights of a model as what is measured."""
    local, function = file.once(LocalCalls), flow.function
    subjects = {text_of(measured) for factor in factors for measured in flow.measures(factor)}
    passed = [(call, local.arguments(call, function)) for call in local.callers(function)]
    return bool(passed) and all(
        _are_weights(call, [a for n, a in given.items() if n in subjects], file)
        for call, given in passed
    )


def _are_weights(call: ast.Call, passed: Sequence[ast.expr], file: FileView) -> bool:
    """Return whether a call passes weights by the assignments of the function around it."""
    functions = file.functions(call)
    if not functions or not passed:
        return False
    flow = NormFlow(functions[-1], file.once(NormHelpers))
    return all(any(map(is_weight, flow.origins(value))) for value in passed)


def is_share_of_counts(flow: NormFlow, division: ast.BinOp) -> bool:
    """Return whether a quotient divides a count of some parameters by that of all of the same module."""
    sides = [
        {name for origin in flow.origins(side) for name in _counted_modules(origin)}
        for side in (division.left, division.right)
    ]
    return not sides[0].isdisjoint(sides[1])


def _counted_modules(node: ast.expr) -> set[str]:
    """Return the modules whose parameters an expression counts, as text."""
    if not is_parameter_count(node):
        return set()
    calls = (part for part in walk(node) if isinstance(part, ast.Call))
    functions = (call.func for call in calls if name_of(call) in PARAMETERS)
    return {text_of(f.value) for f in functions if isinstance(f, ast.Attribute)}


def _is_norm_tested(call: ast.Call, measured: set[str], file: FileView) -> bool:
    """Return whether the function around a call tests the norm of something."""
    functions = file.functions(call)
    if not functions or not measured:
        return False
    flow = NormFlow(functions[-1], file.once(NormHelpers))
    tests = [node for node in scan(functions[-1], {ast.Compare}) if isinstance(node, ast.Compare)]
    sides = (side for test in tests for side in (test.left, *test.comparators))
    return any(not measured.isdisjoint(map(text_of, flow.measures(side))) for side in sides)


def _is_operand_of_product(use: ast.AST, flow: NormFlow) -> bool:
    above = _above(use, flow)
    while isinstance(above, (ast.Attribute, ast.Call)) or _is_scaling(above):
        if isinstance(above, ast.Call) and name_of(above) in CONTRACTING:
            return True
        if isinstance(above, ast.Call) and name_of(above) not in TRANSPOSING:
            return False
        above = _above(above, flow)
    return isinstance(above, ast.BinOp) and isinstance(above.op, ast.MatMult)


def _is_scaling(node: ast.AST) -> bool:
    """Return whether a node multiplies or divides by a factor, as a temperature."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div))


def _above(node: ast.AST, flow: NormFlow) -> ast.AST:
    return flow.above(node) or flow.function


def is_perturbed(division: ast.BinOp, below: list[ast.expr], flow: NormFlow) -> bool:
    """Return whether a norm is divided by that of the same tensor with something added.

    Or the norm of a product by that of a factor, which is bounded by that of the other factor.
    """
    above = [part for part in walk(division.left) if isinstance(part, ast.expr)]
    measured = [m for part in above if flow.is_norm(part) for m in flow.measures(part)]
    added = [m for m in below if isinstance(m, ast.BinOp)]
    factors = {ast.unparse(m) for m in below}
    products = [m for m in measured if isinstance(m, ast.BinOp) and isinstance(m.op, ast.MatMult)]
    if any(not factors.isdisjoint(map(ast.unparse, (m.left, m.right))) for m in products):
        return True
    return any(
        ast.unparse(measure) in (ast.unparse(total.left), ast.unparse(total.right))
        for measure in measured
        for total in added
    )


def is_relative_change(division: ast.BinOp, below: list[ast.expr], flow: NormFlow) -> bool:
    """Return whether a norm measures a difference, or the norm below the line what the object holds."""
    above = [part for part in walk(division.left) if isinstance(part, ast.expr)]
    measured = [m for part in above if flow.is_norm(part) for m in flow.measures(part)]
    subtractions = (n for m in measured for n in scan(m, {ast.BinOp}) if isinstance(n, ast.BinOp))
    if any(isinstance(n.op, ast.Sub) for n in subtractions):
        return True
    return any(isinstance(m, ast.Attribute) and text_of(m.value) == "self" for m in below)


def is_of_declared_tensors(function: Function, file: FileView) -> bool:
    """Return whether a function, or one of the file that calls it, declares that it takes tensors.

    The forward of a module of torch takes them anyway.
    """
    table = file.once(class_table)
    owner = table.owner(function)
    if owner is not None and function.name == "forward" and table.is_module(owner):
        return True
    calls = file.once(LocalCalls).callers(function)
    callers = [caller for call in calls for caller in file.functions(call)[-1:]]
    return any(
        p.annotation is not None and "Tensor" in ast.unparse(p.annotation)
        for each in (function, *callers)
        for p in parameters(each.args)
    )
