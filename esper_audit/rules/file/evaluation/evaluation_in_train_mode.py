"""The rule `evaluation-in-train-mode`: a model is measured with dropout and batch statistics on."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.evaluation import evaluation_in_train_mode_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.training.training_events import EventKind, TrainingEvent
from esper_audit.source.idioms.training.training_flow import (
    TrainingFlow,
    TrainingFlows,
    has_no_gradients,
)
from esper_audit.source.syntax.ast_walk import names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import identifiers, terminal_name
from esper_audit.text.phrases import quoted

RANGES = frozenset({"range", "trange"})
ITERATORS = frozenset({"enumerate", "tqdm", "zip", "iter", "list", "range"})
# What the code of a module mentions that behaves differently in the two modes.
MODE_WORDS = ("drop", "norm", "training")


class EvaluationInTrainMode(Rule):
    """A model is measured with dropout and batch statistics on.

    What: a loop over data without gradients that calls a model which the same code trains, where the
    model was last set to train mode by `train()`, or where the file never calls `eval()` at all.

    Why: dropout makes the measured result worse and random, and batch norm both normalises with the
    statistics of the test batch and changes its running statistics by test data.

    Quiet: `eval()` before the loop, also in a helper; collecting experience (a loop over `range`), or
    features of the training data itself; a
    model of the file without dropout, norm layers or a look at `self.training`.

    Tickets: real code
    """

    contract = "training-modes"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = "0 of 0 in about 200 packages, after mending on some of them; 0 of 1 in 118 before, and 0 of 2 in 49"
    triggers = Triggers(calls=frozenset({"backward", "manual_backward"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report forward passes of an evaluation in train mode, with the first backward of the training."""
        for event, reason in file.once(_measured_in_train_mode).get(node, []):
            yield Violation(
                event.node,
                f"`{quoted(file.code(event.node))}` measures `{event.subject}` in train mode: {reason}. Call "
                f"`{event.subject}.eval()` before this loop and `{event.subject}.train()` after it",
            )


def _measured_in_train_mode(file: FileView) -> dict[ast.AST, list[tuple[TrainingEvent, str]]]:
    """Return the forward passes to report for each backward pass, each with the reason."""
    found: dict[ast.AST, list[tuple[TrainingEvent, str]]] = defaultdict(list)
    seen: set[ast.AST] = set()
    flows = file.once(TrainingFlows)
    for flow in flows.flows:
        for event in _evaluations(flow, file):
            trained = _backward_of(event.subject, flow, file)
            reason = _mode_reason(event, flow, file) if trained is not None else ""
            if trained is None or not reason or event.node in seen:
                continue
            if event.helper != trained.helper or not _is_same_data(event, trained):
                seen.add(event.node)
                found[trained.node].append((event, reason))
    return found


def _evaluations(flow: TrainingFlow, file: FileView) -> Iterator[TrainingEvent]:
    """Yield the forward passes without gradients in a loop over data that trains nothing."""
    if flow.function is not None and flow.function.name == "forward":
        # A module that calls its own layers in a loop measures nothing.
        return
    training = flow.of_kind(EventKind.BACKWARD, EventKind.STEP)
    for event in flow.of_kind(EventKind.FORWARD):
        loop = event.loops[-1] if event.loops else None
        if event.helper == "forward" or event.is_exclusive_with(event):
            continue  # the conditions of its callers cannot hold together
        if not isinstance(loop, (ast.For, ast.AsyncFor)) or _is_range(loop.iter):
            continue
        is_pure = not any(other.is_in(loop) for other in training)
        if is_pure and has_no_gradients(event, flow, file) and _has_modes(event, file):
            yield event


def _is_same_data(event: TrainingEvent, trained: TrainingEvent) -> bool:
    """Return whether both loops run over one iterable, as where features of the training data are collected."""
    iterables = [
        names_in(loop.iter)
        for loop in (event.loops[-1], trained.loops[-1])
        if isinstance(loop, ast.For)
    ]
    return len(iterables) == 2 and bool(set.intersection(*iterables) - ITERATORS)


def _is_range(iterable: ast.expr) -> bool:
    while isinstance(iterable, ast.Call) and terminal_name(iterable.func) not in RANGES:
        if not iterable.args:
            return False
        iterable = iterable.args[0]
    return isinstance(iterable, ast.Call)


def _backward_of(name: str, flow: TrainingFlow, file: FileView) -> TrainingEvent | None:
    """Return a backward pass in a loop in which a module runs with gradients and an optimizer steps."""
    forward = [e for e in flow.of_kind(EventKind.FORWARD) if e.subject == name]
    steps = flow.of_kind(EventKind.STEP)
    for backward in flow.of_kind(EventKind.BACKWARD):
        loop = backward.loops[-1] if backward.loops else None
        if loop is None or not any(step.is_in(loop) for step in steps):
            continue
        if any(e.is_in(loop) and not has_no_gradients(e, flow, file) for e in forward):
            return backward
    return None


def _mode_reason(event: TrainingEvent, flow: TrainingFlow, file: FileView) -> str:
    """Return why a module is in train mode at an event, empty if it may be in eval mode."""
    position = flow.events.index(event)
    for mode in reversed(flow.events[:position]):
        if mode.kind is EventKind.EVAL and not mode.is_exclusive_with(event):
            return ""
        if mode.kind is EventKind.TRAIN and mode.subject == event.subject:
            return f"line {mode.node.lineno} sets it" if isinstance(mode.node, ast.Call) else ""
    is_ever_evaluated = b"eval" in file.source.words or b"train" in file.source.words
    return "" if is_ever_evaluated else "this file never calls `eval()`"


def _has_modes(event: TrainingEvent, file: FileView) -> bool:
    """Return whether the module of an event may behave differently in train mode."""
    if not isinstance(event.node, ast.Call):
        return False
    calls = file.once(LocalCalls)
    made = file.once(Constructors).of(event.node.func)
    classes = [calls.class_named(name.removeprefix(".")) for name in made if name.startswith(".")]
    known = [definition for definition in classes if definition is not None]
    return not known or any(
        any(part in word.lower() for part in MODE_WORDS)
        for definition in known
        for node in scan(definition, {ast.Name, ast.Attribute})
        for word in identifiers(node)
    )
