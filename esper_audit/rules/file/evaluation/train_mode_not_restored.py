"""The rule `train-mode-not-restored`: a training loop goes on in eval mode after an evaluation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.evaluation import train_mode_not_restored_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.optimizers.optimizer_parameters import (
    optimized_modules,
    optimizer_of,
)
from esper_audit.source.idioms.training.training_events import EventKind, TrainingEvent
from esper_audit.source.idioms.training.training_flow import (
    TrainingFlow,
    TrainingFlows,
    has_no_gradients,
)
from esper_audit.source.syntax.ast_walk import names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, text_of
from esper_audit.text.phrases import quoted

OWN_SWITCH = re.compile(r"\.(set_)?train(ing)?_mode$|\.set_train(ing)?$")
ENDS = (ast.Gt, ast.GtE)
MESSAGE = (
    "`{}` leaves `{}` in eval mode for the rest of the loop in line {}, which goes on training it "
    "(step in line {}). Call `{}.train()` after the evaluation"
)


class TrainModeNotRestored(Rule):
    """A training loop goes on in eval mode after an evaluation.

    What: `model.eval()` in a loop that also steps an optimizer, in the loop itself or in a function of
    the file that it calls, without any `train()` of a module in the innermost loop that has both.

    Why: from the first evaluation on, dropout is off and batch norm uses its running statistics, which
    no longer move. The loss looks better than before, and the model generalises worse.

    Quiet: a `train()` anywhere in the loop, in its helpers or in a restoring `model.train(mode)`, also by a
    method of the model such as `set_train_mode`; an evaluation after the loop, in its last round or in a
    branch that leaves it; modules that no optimizer of the loop trains.

    Tickets: real code
    """

    contract = "training-modes"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "3 of 4 by a reader in 118 packages (sktime, openhgnn, modelscope); before: 2 of 5 in 49, 2 of 2 in 47; "
        "0 of 1 in about 250 after it was widened, mended since; no finding more in 147 for methods of a model"
    )
    triggers = Triggers(calls=frozenset({"eval", "train"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report switches to eval mode that a training loop keeps."""
        flows = file.once(TrainingFlows).having(node, EventKind.EVAL)
        kept = [pair for flow in flows if (pair := _kept_in_loop(flow, node, file)) is not None]
        if not kept:
            return
        event, step = kept[0]
        loop = _shared_loop(event, step)
        if loop is None or any(_is_restored(flow, node, loop) for flow in flows):
            return
        name, code, line = event.subject, quoted(file.code(node)), step.node.lineno
        yield Violation(node, MESSAGE.format(code, name, loop.lineno, line, name))


def _kept_in_loop(
    flow: TrainingFlow, node: ast.AST, file: FileView
) -> tuple[TrainingEvent, TrainingEvent] | None:
    """Return a switch to eval mode and a step of the optimizer that share a loop."""
    event = next(event for event in flow.events if event.node is node)
    if event.kind is not EventKind.EVAL or _leaves_loop(event):
        return None
    for step in flow.of_kind(EventKind.STEP):
        loop = _shared_loop(event, step)
        is_evaluation = event.helper != step.helper or event in flow.after(step, event.kind)
        if isinstance(loop, ast.For) and event.subject in _bound_by(loop):
            # Each round has a module of its own.
            continue
        is_trained = _is_trained(event, step, file) and not _is_frozen(event, flow, file)
        if loop is None or _is_of_one_round(event, loop):
            continue
        if is_evaluation and is_trained:
            return event, step
    return None


def _bound_by(loop: ast.For) -> set[str]:
    return names_in(loop.target)


def _is_trained(event: TrainingEvent, step: TrainingEvent, file: FileView) -> bool:
    """Return whether a step may train the module of an event."""
    optimizer = optimizer_of(step)
    origins = file.once(Constructors)
    modules = optimized_modules(optimizer, origins) if optimizer is not None else frozenset()
    name = event.subject
    is_renamed = bool(event.helper or step.helper)
    return not modules or is_renamed or any(f"{m}.".startswith(f"{name}.") for m in modules)


def _is_frozen(event: TrainingEvent, flow: TrainingFlow, file: FileView) -> bool:
    """Return whether a module is a copy, or a part of the model that does not run by itself."""
    if any(mode.subject == event.subject for mode in flow.of_kind(EventKind.TRAIN)):
        return False
    forward = [other for other in flow.of_kind(EventKind.FORWARD) if other.subject == event.subject]
    if forward:
        return all(has_no_gradients(other, flow, file) for other in forward)
    is_part = event.subject.count(".") > 1
    called = event.node.func if isinstance(event.node, ast.Call) else event.node
    module = called.value if isinstance(called, ast.Attribute) else called
    return is_part or "copy.deepcopy" in file.once(Constructors).of(module)


def _is_restored(flow: TrainingFlow, node: ast.AST, loop: ast.stmt) -> bool:
    """Return whether a module is set to train mode before the next round of a loop trains it.

    In a flow that does not have the loop, it is enough that any loop around the switch sets it.
    """
    event = next(event for event in flow.events if event.node is node)
    modes = flow.of_kind(EventKind.TRAIN)
    loops = [loop] if event.is_in(loop) else event.loops
    if any(_has_own_switch(each, event.subject) for each in loops):
        return True
    if not loops:
        return any(mode.subject == event.subject for mode in flow.after(event, EventKind.TRAIN))
    return any(mode.is_in(each) for mode in modes for each in loops)


def _has_own_switch(loop: ast.stmt, module: str) -> bool:
    """Return whether a loop calls a method of a module with a name such as `set_train_mode`."""
    calls = (c for c in scan(loop, {ast.Call}) if isinstance(c, ast.Call))
    names = (dotted(c.func) for c in calls)
    return any(n.startswith(f"{module}.") and OWN_SWITCH.search(n) for n in names)


def _shared_loop(event: TrainingEvent, other: TrainingEvent) -> ast.stmt | None:
    """Return the innermost loop around both events."""
    shared = [loop for loop in event.loops if other.is_in(loop)]
    return shared[-1] if shared else None


def _is_of_one_round(event: TrainingEvent, loop: ast.stmt) -> bool:
    """Return whether only the last round of a loop reaches an event: `if i == len(loader) - 1`."""
    for text, truth in event.conditions(loop):
        test = ast.parse(text, mode="eval").body
        joint = ast.And if truth else ast.Or
        is_joint = isinstance(test, ast.BoolOp) and isinstance(test.op, joint)
        parts = test.values if is_joint and isinstance(test, ast.BoolOp) else [test]
        if any(isinstance(part, ast.Compare) and _is_end(part, truth=truth) for part in parts):
            return True
    return False


def _is_end(test: ast.Compare, *, truth: bool) -> bool:
    """Return whether a comparison with one outcome holds in one round only, or at the end of a loader."""
    sides = (test.left, test.comparators[0])
    if isinstance(sides[1], ast.Constant) or any(_is_remainder(side) for side in sides):
        return False
    if isinstance(test.ops[0], ast.Eq if truth else ast.NotEq):
        return True
    is_behind = isinstance(test.ops[0], ENDS if truth else (ast.Lt, ast.LtE))
    return is_behind and "len(" in text_of(sides[1])


def _is_remainder(node: ast.expr) -> bool:
    """Return whether an expression is a remainder, except by the length of a loader."""
    is_modulus = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
    return is_modulus and "len(" not in text_of(node)


def _leaves_loop(event: TrainingEvent) -> bool:
    """Return whether the branch of an event ends the loop."""
    statement, number = event.path[-1] if event.path else (None, 0)
    if not isinstance(statement, ast.If):
        return False
    block = statement.orelse if number else statement.body
    return isinstance(block[-1], (ast.Return, ast.Break, ast.Raise))
