"""Whether the function, or the callers in its file, show that an argument is left out on purpose."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.fallbacks.argument_defaults import Fallback, is_none
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, names_in, scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, defaults, dotted, parameters, terminal_name

PRODUCTS = frozenset({"mm", "matmul", "bmm", "cdist", "einsum", "pairwise_distance"})
UNDIFFERENTIABLE = frozenset({"LongTensor", "IntTensor", "BoolTensor", "ByteTensor"})


def is_left_out_on_purpose(
    function: Function, found: Fallback, targets: frozenset[str], file: FileView
) -> bool:
    """Return whether the code shows that a replacement is meant.

    One is a variant of the other by name; a caller passes None or what may be None; the function tests the
    parameter in several places, or sets something else by it; it compares all pairs of both, where one set
    with itself is usual; the value holds indices, or only updates a state of the object.
    """
    names = targets | {found.parameter}
    return (
        _is_variant(found.parameter, found.replacement)
        or _has_tests_elsewhere(function, found.parameter)
        or _is_choice_of_mode(function, found.parameter, names)
        or _is_all_pairs(function, names, found.replacement)
        or _is_of_indices(function, found.parameter)
        or _is_for_state(function, found, file)
        or any(_may_be_none(value, file) for value in _passed(found.parameter, function, file))
    )


def _is_variant(parameter: str, replacement: str) -> bool:
    """Return whether a name is another with a word more, or the last two words of both are the same."""
    if parameter.startswith(f"{replacement}_") or parameter.endswith(f"_{replacement}"):
        return True  # `offsets_cpu`, `teacher_x`
    last = parameter.split("_")[-2:]
    return len(last) == 2 and last == replacement.split("_")[-2:]  # `local_page_table`


def _passed(parameter: str, function: Function, file: FileView) -> Iterator[ast.expr]:
    """Yield what calls of a function of that name pass for a parameter by name."""
    for call in file.nodes(ast.Call):
        name = terminal_name(call.func)
        if name == function.name or (function.name == "forward" and name != "forward"):
            yield from (k.value for k in call.keywords if k.arg == parameter)


def _may_be_none(value: ast.expr, file: FileView) -> bool:
    """Return whether a value is None, or a name that is None by default or by an assignment."""
    if is_none(value):
        return True
    functions = file.functions(value)
    if not isinstance(value, ast.Name) or not functions:
        return False
    default = defaults(functions[-1].args).get(value.id)
    if default is not None:
        return is_none(default)
    return any(
        is_none(node.value) and value.id in {dotted(target) for target in node.targets}
        for node in scan(functions[-1], {ast.Assign})
        if isinstance(node, ast.Assign)
    )


def _has_tests_elsewhere(function: Function, parameter: str) -> bool:
    """Return whether a function tests a parameter for None in several places."""
    compared = scan(function, {ast.Compare}, NESTED_SCOPES)
    tests = [
        node
        for node in compared
        if isinstance(node, ast.Compare)
        and is_none(node.comparators[0])
        and dotted(node.left) == parameter
    ]
    return len(tests) > 1


def _is_choice_of_mode(function: Function, parameter: str, names: frozenset[str]) -> bool:
    """Return whether a condition on a parameter also binds other names: None selects another mode."""
    for node in scan(function, {ast.If}, NESTED_SCOPES):
        if not isinstance(node, ast.If) or parameter not in _tested_for_none(node.test):
            continue
        bound = [name for part in (*node.body, *node.orelse) for name in _bound_by(part)]
        if not names.issuperset(bound):
            return True
    return False


def _tested_for_none(test: ast.expr) -> set[str]:
    """Return the names that a condition compares with None."""
    return {
        dotted(node.left)
        for node in walk(test)
        if isinstance(node, ast.Compare) and is_none(node.comparators[0])
    }


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that an assignment binds."""
    for target in statement.targets if isinstance(statement, ast.Assign) else ():
        parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
        yield from (part.id for part in parts if isinstance(part, ast.Name))


def _is_all_pairs(function: Function, names: frozenset[str], other: str) -> bool:
    """Return whether a function multiplies or subtracts each row of one with each of the other."""
    return any(
        (names & names_in(left) and other in names_in(right))
        or (names & names_in(right) and other in names_in(left))
        for left, right in _paired(function)
    )


def _paired(function: Function) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the two sides of each product of matrices and of each difference of expanded rows."""
    for node in scan(function, {ast.BinOp, ast.Call}, NESTED_SCOPES):
        if isinstance(node, ast.BinOp):
            is_difference = isinstance(node.op, ast.Sub)
            is_expanded = _is_expanded(node.left) and _is_expanded(node.right)
            if isinstance(node.op, ast.MatMult) or (is_difference and is_expanded):
                yield node.left, node.right
        elif isinstance(node, ast.Call) and terminal_name(node.func) in PRODUCTS:
            operands = node.args[-2:]
            if len(operands) == 2:
                yield operands[0], operands[1]


def _is_expanded(node: ast.expr) -> bool:
    """Return whether an operand gets an axis: `x.unsqueeze(1)`, `x[:, None]`."""
    if isinstance(node, ast.Call):
        return terminal_name(node.func) == "unsqueeze"
    return isinstance(node, ast.Subscript) and any(
        is_none(part) for part in walk(node.slice) if isinstance(part, ast.expr)
    )


def _is_of_indices(function: Function, parameter: str) -> bool:
    """Return whether the annotation of a parameter is a tensor without gradients."""
    given = parameters(function.args)
    annotations = [p.annotation for p in given if p.arg == parameter and p.annotation]
    parts = (part for annotation in annotations for part in walk(annotation))
    return any(isinstance(p, ast.expr) and terminal_name(p) in UNDIFFERENTIABLE for p in parts)


def _is_for_state(function: Function, found: Fallback, file: FileView) -> bool:
    """Return whether a conditional replacement is an argument of a call whose result is not used."""
    both = {found.parameter, found.replacement}
    uses = [
        node
        for node in scan(function, {ast.IfExp, ast.BoolOp}, NESTED_SCOPES)
        if isinstance(node, (ast.IfExp, ast.BoolOp)) and both <= names_in(node)
    ]
    return bool(uses) and all(isinstance(file.enclosing(use)[-1], ast.Expr) for use in uses)
