"""The rule `ema-never-updates`: a running average that its update does not reach."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.numerics import ema_never_updates_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.numerics.lost_updates import (
    copied_averages,
    frozen_filters,
    has_update,
    idle_counter,
    missed_keys,
    rebound_averages,
    unmatched_names,
)
from esper_audit.source.idioms.numerics.running_averages import discarded_update
from esper_audit.source.idioms.numerics.unreached_updates import (
    late_counter,
    unmatched_prefixes,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name

SOURCES = frozenset(
    {"parameters", "named_parameters", "buffers", "named_buffers", "state_dict", "values", "items"}
)
UPDATES = frozenset({"mul", "mul_", "lerp", "multiply"})
REBOUND = "`{}` gives a name to the new average and leaves the tensor of the loop as it was"
DISCARDED = "`{}` computes the average and throws it away: the operation is not in place"
FILTERED = (
    "`{0}.requires_grad` is False for every parameter of `{1}`, so that the update is never reached"
)
COPIED = (
    "`{}` goes into the table that `state_dict` returned, and no `load_state_dict` brings it back"
)
UNMATCHED = (
    "no parameter of a nested module is called {}: the name has the path of the module in front"
)
MISSED = "`{}` finds nothing: the keys of `{}` are made as `{}`, and the one here as `{}`"
STOPPED = "`{}` is 0 for ever, nothing counts it, so that the update is never reached"
LATE = (
    "`{}` is raised in line {} only, which this test does not let it reach: no update ever runs. "
    "Raise it in front of the test"
)
NO_PREFIX = "no parameter of `{1}` has a name that begins with {0!r}: nothing is ever updated"


class EmaNeverUpdates(Rule):
    """A running average is computed and reaches no tensor.

    What: a loop over parameters that assigns the new average to its own variable
    (`ema = decay * ema + (1 - decay) * p`); an average by operations that are not in place in a
    statement of its own (`ema.mul(d).add(p, alpha=1 - d)`, `ema.lerp(p, w)`); an update under
    `requires_grad` of parameters that the class has frozen; an update under a counter of steps that
    the class sets to 0 and never raises, or raises behind the test only; a prefix that no part of the
    module's class has; averages that go into the table of `state_dict()` and are not loaded; an update
    for parameters whose full name is compared with a name without a path, or is looked up with a prefix
    that the table of averages does not have.

    Why: the average keeps its initial value. Evaluation with it scores like an untrained network, or
    a target network never follows, and no error shows it.

    Quiet: a variable that is stored afterwards, averages in place, filters of other parameters,
    counters that another method or class changes.

    Tickets: real code
    """

    contract = "average-updates"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = "1 of 1 in 68 packages; no finding in the last 65 unseen packages"
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
            yield from _of_loop(node, file)
        elif isinstance(node, ast.If):
            counter = idle_counter(node, file)
            late = late_counter(node, file)
            if counter is not None:
                yield Violation(node.test, STOPPED.format(dotted(counter)))
            elif late is not None:
                yield Violation(node.test, LATE.format(late.counter, late.raised.lineno))


def _of_loop(loop: ast.For, file: FileView) -> Iterator[Violation]:
    if not has_update(loop):
        return
    for average in rebound_averages(loop):
        yield Violation(average, REBOUND.format(_code(average, file)))
    for test, name, module in frozen_filters(loop, file):
        yield Violation(test, FILTERED.format(name, module))
    for average in copied_averages(loop, file):
        yield Violation(average, COPIED.format(_code(average, file)))
    for comparison, names in unmatched_names(loop):
        yield Violation(comparison, UNMATCHED.format(" or ".join(map(repr, names))))
    for question, *known in missed_keys(loop, file):
        yield Violation(question, MISSED.format(_code(question, file), *known))
    for call, prefix, owner in unmatched_prefixes(loop, file):
        yield Violation(call, NO_PREFIX.format(prefix, owner))


def _is_possible(node: ast.AST) -> bool:
    if isinstance(node, ast.For):
        if isinstance(node.iter, ast.Name):
            return True
        calls = scan(node.iter, {ast.Call})
        return any(isinstance(c, ast.Call) and terminal_name(c.func) in SOURCES for c in calls)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Compare) and bool(dotted(node.test.left))
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
