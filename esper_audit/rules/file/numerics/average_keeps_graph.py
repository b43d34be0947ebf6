"""The rule `average-keeps-graph`: a running average that takes in tensors with their graph."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.numerics import average_keeps_graph_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.classes.attribute_use import own_name
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.local_flow.following_statements import assigned_to
from esper_audit.source.idioms.numerics.ema_update import EmaUpdate, ema_update
from esper_audit.source.idioms.numerics.forward_inputs import handed_inputs, is_cut
from esper_audit.source.idioms.numerics.gradient_modes import ends_graph, is_without_gradients
from esper_audit.source.idioms.numerics.running_averages import assigned_through_names
from esper_audit.source.idioms.numerics.value_origins import ValueOrigins
from esper_audit.source.idioms.training.differentiated_values import (
    differentiated,
    is_given_differentiated,
    is_part_of_differentiated_result,
)
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.names import Function, dotted, text_of

MESSAGE = "`{}` keeps the graph of `{}` from step to step: detach what is averaged"
DEEPEST = 6


class AverageKeepsGraph(Rule):
    """A running average on the object keeps the graph of every step.

    What: an update of a running average on `self`, or of a local one in a loop (`a = b*a + (1-b)*x`,
    `lerp`, `a += w*(x - a)`, `mul_(b).add_(x, alpha=1-b)`), with a tensor that has a graph: one whose
    `backward` the function calls, or a caller that passes it, an argument from which it computes a result
    whose `backward` the file calls, or one that the `forward` of a module, or a method to which it hands
    them, computes from its arguments.

    Why: memory grows with each step, since the average holds the graphs of all earlier ones, and the
    second `backward` raises that it goes through a graph a second time, or differentiates through
    earlier steps.

    Quiet: `no_grad`, `.detach()`, `.item()`, `float()` or `.data` at the update, on the sample before
    or on the average after it; numbers.

    Tickets: real code
    """

    contract = "average-updates"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "1 of 1 by a reader in 27 packages (speechbrain), none in 118 others; 1 of 3 in 118 before mending on "
        "them; no finding more in 63 packages for meters and lookups"
    )
    triggers = Triggers(
        calls=frozenset({"add_", "lerp_", "copy_"}),
        nodes=frozenset({"Assign", "AugAssign"}),
        parts=frozenset({"backward(", "def forward"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep the statements that can update a running average."""
        return [node for node in nodes if _is_possible(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report updates of an average on the object with a tensor that has a graph."""
        if not _is_possible(node):
            return
        assert isinstance(node, (ast.Assign, ast.AugAssign, ast.Call))
        statement = assigned_through_names(node, file) if isinstance(node, ast.Assign) else node
        update, functions = _update(statement), file.functions(node)
        value = statement if isinstance(statement, ast.Call) else statement.value
        if update is None or not functions or ends_graph(value):
            return
        if is_without_gradients(node, file) or is_without_gradients(value, file):
            return
        average = text_of(node.targets[0]) if isinstance(node, ast.Assign) else update.average
        if "." not in average and not _is_carried(node, average, file):
            return
        if _is_detached_after(average, functions[-1]):
            return
        weights = {text_of(part) for part in walk(update.share)}
        samples = (s for s in _operands(value, update.average) if text_of(s) not in weights)
        for sample in samples:
            if self._has_graph(sample, average, functions[-1], file):
                yield Violation(node, MESSAGE.format(average, text_of(sample)))
                return

    def _has_graph(
        self, sample: ast.expr, average: str, function: Function, file: FileView
    ) -> bool:
        name = dotted(sample)
        if name and name in differentiated(function):
            return not is_cut(sample, file)
        if "." not in average:
            return False
        if is_given_differentiated(sample, function, file):
            return True
        is_own = name.split(".")[0] == own_name(function)
        if not is_own and is_part_of_differentiated_result(sample, function, file):
            return True
        table = file.once(class_table)
        owner = table.owner(function)
        if owner is None or not table.family(owner).is_module:
            return False
        inputs = handed_inputs(function, table.family(owner).method("forward"), file)
        return bool(inputs) and _is_computed_from(sample, inputs, file, 0)


def _update(node: ast.AST) -> EmaUpdate | None:
    """Return the update that a statement is, also by one side of a conditional expression."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.IfExp):
        return ema_update(node)
    sides = (node.value.body, node.value.orelse)
    found = (ema_update(ast.Assign(node.targets, side)) for side in sides)
    return next((update for update in found if update is not None), None)


def _is_possible(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return bool(node.args)
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    target = node.target if isinstance(node, ast.AugAssign) else target
    if isinstance(target, ast.Subscript):
        target = target.value
    is_kept = isinstance(target, (ast.Attribute, ast.Name))
    is_named = isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
    return is_kept and (is_named or isinstance(node.value, (ast.BinOp, ast.Call, ast.IfExp)))  # type: ignore[attr-defined]  # an assignment


def _is_carried(node: ast.Assign | ast.AugAssign | ast.Call, name: str, file: FileView) -> bool:
    """Return whether a local average of a loop is carried from round to round."""
    statements = file.enclosing(node)
    loops = [s for s in statements if isinstance(s, (ast.For, ast.While))]
    if not loops or isinstance(node, ast.Call):
        return False
    bindings = file.once(FunctionValues).of(file.functions(node)[-1]).bindings.get(name, ())
    before = [
        b for b in bindings if b.statement is not None and b.statement.lineno < loops[-1].lineno
    ]
    return bool(before)


def _operands(value: ast.expr, average: str) -> list[ast.expr]:
    """Return the names and calls that an update takes in beside the average."""
    kinds = (ast.Name, ast.Attribute, ast.Call)
    parts = [part for part in walk(value) if isinstance(part, kinds)]
    around = [part for part in parts if any(text_of(below) == average for below in walk(part))]
    return [part for part in parts if part not in around]


def _is_computed_from(node: ast.expr, inputs: set[str], file: FileView, depth: int) -> bool:
    """Return whether a value is an operation on an argument, without a part that cuts the graph."""
    if depth > DEEPEST or ends_graph(node) or is_without_gradients(node, file):
        return False
    if isinstance(node, ast.Name):
        origins = file.once(ValueOrigins).of(node, calls=0)
        others = [o for o in origins if not isinstance(o, ast.Name)]
        return any(_is_computed_from(o, inputs, file, depth + 1) for o in others)
    if not isinstance(node, ast.Call):
        return False
    operands = [*node.args, *(k.value for k in node.keywords)]
    if isinstance(node.func, ast.Attribute):
        operands.append(node.func.value)
    names = {dotted(operand) for operand in operands}
    is_direct = not names.isdisjoint(inputs)
    return is_direct or any(_is_computed_from(o, inputs, file, depth + 1) for o in operands)


def _is_detached_after(average: str, function: Function) -> bool:
    """Return whether the function detaches the average itself, not only what it computes from it."""
    calls = (call.func for call in scan(function, {ast.Call}) if isinstance(call, ast.Call))
    methods = (f for f in calls if isinstance(f, ast.Attribute) and f.attr == "detach_")
    values = (value for target, value in assigned_to(function) if target == average)
    return any(text_of(method.value) == average for method in methods) or any(
        map(ends_graph, values)
    )
