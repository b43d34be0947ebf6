"""Counts of parameters: sums over a model, subtractions from them, and layers behind a switch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.source.idioms.attention.causal_masks import guards
from esper_audit.source.idioms.declarations.tied_weights import is_count_of_tied_layer
from esper_audit.source.syntax.ast_walk import NESTED_SCOPES, names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, terminal_name

TIED = re.compile(r"(^|_)(tie|ties|tied|tying|share|shared|sharing)(_|$)")
MATRICES = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d", "Embedding", "Bilinear"})

Step = ast.Assign | ast.AugAssign | ast.Return


def subtractions_where_tied(function: Function, file: FileView) -> Iterator[tuple[ast.AST, str]]:
    """Yield what subtracts from a sum over `parameters()` where weights are tied, with the sum."""
    totals = set(_totals(function))
    for node in scan(function, {ast.AugAssign, ast.BinOp}, NESTED_SCOPES):
        if not isinstance(node, (ast.AugAssign, ast.BinOp)) or not isinstance(node.op, ast.Sub):
            continue
        total = node.target if isinstance(node, ast.AugAssign) else node.left
        less = node.value if isinstance(node, ast.AugAssign) else node.right
        is_total = dotted(total) in totals or _is_sum(total)
        tests = list(guards(node, function, file))
        if isinstance(less, ast.IfExp):
            tests.append((less.test, True))
        is_tied = any(_is_tied(test, outcome=outcome) for test, outcome in tests)
        if is_total and (is_tied or (not tests and is_count_of_tied_layer(less, function, file))):
            around = file.enclosing(node)[-1]
            place = around if isinstance(around, (ast.Assign, ast.Return, ast.AugAssign)) else node
            yield place, dotted(total) or "sum(...)"


def optional_layers(file: FileView) -> Iterator[tuple[str, ast.Call]]:
    """Yield the layers with a matrix that the file builds only where a switch is on."""
    for node in [*file.nodes(ast.If), *file.nodes(ast.IfExp)]:
        switch = _switch(node.test) if isinstance(node, (ast.If, ast.IfExp)) else ""
        if not switch or not isinstance(node, (ast.If, ast.IfExp)):
            continue
        body = _layers(node.body, file)
        other = _layers(node.orelse, file)
        if bool(body) is not bool(other):
            yield switch, (body or other)[0]


def identifiers_of(node: ast.AST) -> set[str]:
    """Return the names and attributes that code reads or binds, parameters included."""
    found = scan(node, {ast.Name, ast.Attribute, ast.arg})
    return {_identifier(each) for each in found}


def sizes_of(argument: ast.expr) -> set[str]:
    """Return the names and attributes in an argument, without the objects that hold the attributes."""
    attributes = [a for a in scan(argument, {ast.Attribute}) if isinstance(a, ast.Attribute)]
    holders = {dotted(attribute.value) for attribute in attributes}
    names = names_in(argument)
    return {attribute.attr for attribute in attributes} | (names - holders)


def counting_steps(node: ast.Attribute | Function, function: Function) -> list[Step]:
    """Return the statements of a formula that compute the attribute, or all of a counting function."""
    found = scan(function, {ast.Assign, ast.AugAssign, ast.Return}, NESTED_SCOPES)
    steps = [s for s in found if isinstance(s, Step) and not isinstance(s.value, ast.Constant)]
    if isinstance(node, ast.Attribute):
        name = dotted(node)
        steps = [s for s in steps if name in {dotted(target) for target in _targets(s)}]
    return sorted(steps, key=lambda step: step.lineno)


def identifiers_behind(steps: list[Step], function: Function, file: FileView) -> set[str]:
    """Return the names that steps read, with those of their conditions and of local names in them."""
    parts: list[ast.AST] = [step.value for step in steps if step.value is not None]
    parts += [test for step in steps for test, _ in guards(step, function, file)]
    known = {name for part in parts for name in identifiers_of(part)}
    for node in scan(function, {ast.Assign}, NESTED_SCOPES):
        if isinstance(node, ast.Assign) and dotted(node.targets[0]) in known:
            known |= identifiers_of(node.value)
    return known


def _targets(step: Step) -> list[ast.expr]:
    if isinstance(step, ast.Assign):
        return step.targets
    return [step.target] if isinstance(step, ast.AugAssign) else []


def _identifier(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else ""


def _totals(function: Function) -> Iterator[str]:
    """Yield the names that hold a sum over the parameters of a module, each parameter once."""
    for node in scan(function, {ast.Assign, ast.For}, NESTED_SCOPES):
        if isinstance(node, ast.Assign) and _is_sum(node.value):
            yield dotted(node.targets[0])
        if isinstance(node, ast.For) and _is_over_parameters(node.iter):
            steps = (s for s in scan(node, {ast.AugAssign}) if isinstance(s, ast.AugAssign))
            yield from (dotted(s.target) for s in steps if "numel" in identifiers_of(s.value))


def _is_sum(value: ast.expr) -> bool:
    """Return whether an expression is `sum(p.numel() for p in module.parameters())`."""
    if not isinstance(value, ast.Call) or dotted(value.func) != "sum" or not value.args:
        return False
    over = value.args[0]
    if not isinstance(over, (ast.GeneratorExp, ast.ListComp)) or len(over.generators) != 1:
        return False
    conditions = over.generators[0].ifs
    is_whole = all(dotted(test).endswith(".requires_grad") for test in conditions)
    return _is_over_parameters(over.generators[0].iter) and is_whole


def _is_over_parameters(iterable: ast.expr) -> bool:
    if not isinstance(iterable, ast.Call) or iterable.keywords:
        return False
    return terminal_name(iterable.func) in ("parameters", "named_parameters")


def _is_tied(test: ast.expr, *, outcome: bool) -> bool:
    """Return whether weights are tied, by name or by identity, where a condition has an outcome."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _is_tied(test.operand, outcome=not outcome)
    if isinstance(test, ast.BoolOp):
        return any(_is_tied(part, outcome=outcome) for part in test.values)
    if not outcome:
        return False
    for node in ast.walk(test):
        if isinstance(node, (ast.Name, ast.Attribute)) and TIED.search(_identifier(node)):
            return True
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is):
            return dotted(node.comparators[0]).endswith("weight")
    return False


def _switch(test: ast.expr) -> str:
    """Return the name or attribute that a condition is, empty for a comparison."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    return dotted(test).rpartition(".")[2]


def _layers(branch: ast.expr | list[ast.stmt], file: FileView) -> list[ast.Call]:
    """Return the layers with a matrix that a branch builds."""
    parts = branch if isinstance(branch, list) else [branch]
    calls = (
        call for part in parts for call in scan(part, {ast.Call}) if isinstance(call, ast.Call)
    )
    return [
        call
        for call in calls
        if terminal_name(call.func) in MATRICES
        and (file.resolve(call.func) or "").startswith("torch.nn.")
    ]
