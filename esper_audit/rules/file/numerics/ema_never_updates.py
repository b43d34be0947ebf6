"""The rule `ema-never-updates`: a running average that its update does not reach."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.file.numerics import ema_never_updates_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.numerics.ema_update import ema_update, literal_number
from esper_audit.source.idioms.numerics.frozen_parameters import frozen_modules, iterated_modules
from esper_audit.source.idioms.numerics.running_averages import discarded_update, names_in
from esper_audit.source.syntax.ast_walk import scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

SOURCES = frozenset(
    {"parameters", "named_parameters", "buffers", "named_buffers", "state_dict", "values", "items"}
)
UPDATES = frozenset({"mul", "mul_", "lerp", "multiply"})
STATEMENTS = frozenset({ast.Assign, ast.Call})
REBOUND = "`{}` gives a name to the new average and leaves the tensor of the loop as it was"
DISCARDED = "`{}` computes the average and throws it away: the operation is not in place"
FILTERED = (
    "`{0}.requires_grad` is False for every parameter of `{1}`, so that the update is never reached"
)
STOPPED = "`{}` is 0 for ever, nothing counts it, so that the update is never reached"


class EmaNeverUpdates(Rule):
    """A running average is computed and reaches no tensor.

    What: a loop over parameters that assigns the new average to its own variable
    (`ema = decay * ema + (1 - decay) * p`); an average by operations that are not in place in a
    statement of its own (`ema.mul(d).add(p, alpha=1 - d)`, `ema.lerp(p, w)`); an update under
    `requires_grad` of parameters that the class has frozen; an update under a counter of steps that
    the class sets to 0 and never raises.

    Why: the average keeps its initial value. Evaluation with it scores like an untrained network, or
    a target network never follows, and no error shows it.

    Quiet: a variable that is stored afterwards, averages in place, filters of other parameters,
    counters that another method or class changes.

    Tickets: real code
    """

    contract = "average-updates"
    category = Category.CORRECTNESS
    severity = Severity.P1
    precision = "0 findings in 19 packages"
    triggers = Triggers(
        calls=UPDATES,
        nodes=frozenset({"For", "If"}),
        parts=frozenset({"1 - ", "1.0 - ", "0.9", "parameters(", "lerp", "mul_("}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls, loops over tensors and conditions on flags and counters."""
        return [node for node in nodes if _is_possible(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report updates that reach no tensor."""
        if isinstance(node, ast.Call):
            statement = discarded_update(node, file)
            if statement is not None and _is_average(statement.value):
                yield Violation(statement, DISCARDED.format(_code(statement, file)))
        elif isinstance(node, ast.For):
            yield from _rebound(node, file)
            yield from _frozen(node, file)
        elif isinstance(node, ast.If):
            yield from _never_counted(node, file)


def _is_possible(node: ast.AST) -> bool:
    if isinstance(node, ast.For):
        calls = scan(node.iter, {ast.Call})
        return any(isinstance(c, ast.Call) and terminal_name(c.func) in SOURCES for c in calls)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Compare) and dotted(node.test.left).startswith("self.")
    return True


def _code(node: ast.AST, file: FileView) -> str:
    return " ".join(file.code(node).split())


def _is_average(node: ast.expr) -> bool:
    """Return whether a chain of calls is `a.mul(b).add(c, alpha=1 - b)` or `a.lerp(b, w)`."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    name = node.func.attr
    if name == "lerp":
        return len(node.args) + len(node.keywords) >= 2
    inner = node.func.value
    is_sum = name in ("add", "add_", "addcmul") and isinstance(inner, ast.Call)
    if not is_sum or not isinstance(inner, ast.Call) or not isinstance(inner.func, ast.Attribute):
        return False
    return inner.func.attr in UPDATES and "1" in ast.unparse(node)


def _rebound(loop: ast.For, file: FileView) -> Iterator[Violation]:
    """Yield the assignments of an average to a variable of the loop that is not read afterwards."""
    targets = names_in(loop.target)
    for node in scan(loop, {ast.Assign}):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        update = ema_update(node)
        if update is None or update.average != name or name not in targets:
            continue
        later = (part for part in scan(loop, {ast.Name}) if part.lineno > (node.end_lineno or 0))  # type: ignore[attr-defined]  # a name
        if not any(isinstance(part, ast.Name) and part.id == name for part in later):
            yield Violation(node, REBOUND.format(_code(node, file)))


def _frozen(loop: ast.For, file: FileView) -> Iterator[Violation]:
    """Yield the tests of `requires_grad` of frozen parameters around the update in a loop."""
    frozen = frozen_modules(_family(loop, file))
    variables = {name: source for name, source in iterated_modules(loop) if source in frozen}
    for node in scan(loop, {ast.If}):
        if not isinstance(node, ast.If):
            continue
        test, is_negated = node.test, False
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, is_negated = test.operand, True
        if not isinstance(test, ast.Attribute) or test.attr != "requires_grad":
            continue
        name = dotted(test.value)
        is_skip = is_negated and isinstance(node.body[-1], ast.Continue)
        if name in variables and (is_skip or not is_negated) and _has_update(loop):
            yield Violation(node.test, FILTERED.format(name, variables[name]))


def _never_counted(branch: ast.If, file: FileView) -> Iterator[Violation]:
    """Yield a test of a counter that keeps its initial 0 around the update of an average."""
    test = branch.test
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], (ast.Gt, ast.GtE)):
        return
    counter = test.left
    family = _family(branch, file)
    if family is None or not isinstance(counter, ast.Attribute) or not _has_update(branch):
        return
    bindings = family.bindings(counter.attr)
    is_zero = [b.value is not None and literal_number(b.value) == 0 for b in bindings]
    elsewhere = [
        node
        for node in file.nodes(ast.Attribute)
        if node.attr == counter.attr and isinstance(node.ctx, ast.Store)
    ]
    limit = literal_number(test.comparators[0])
    is_reached = limit is not None and limit <= 0 and isinstance(test.ops[0], ast.GtE)
    if len(bindings) == 1 and all(is_zero) and len(elsewhere) == 1 and not is_reached:
        yield Violation(test, STOPPED.format(dotted(counter)))


def _has_update(scope: ast.AST) -> bool:
    return any(ema_update(node) is not None for node in walk(scope))


def _family(node: ast.stmt, file: FileView) -> ClassFamily | None:
    classes = [d for d in file.definitions(node) if isinstance(d, ast.ClassDef)]
    return file.once(class_table).family(classes[-1]) if classes else None
