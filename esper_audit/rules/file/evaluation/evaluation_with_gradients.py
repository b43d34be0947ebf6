"""The rule `evaluation-with-gradients`: an evaluation builds an autograd graph that nothing uses."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.evaluation import evaluation_with_gradients_cases as cases
from esper_audit.rules.rule import Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.fallbacks.exception_handling import is_fallback
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.numerics.gradient_modes import has_torch, is_detached, is_handed_on
from esper_audit.source.idioms.training.torch_objects import GRAD_SWITCHES
from esper_audit.source.idioms.training.training_events import EventKind, TrainingEvent
from esper_audit.source.idioms.training.training_flow import (
    TrainingFlow,
    TrainingFlows,
    has_no_gradients,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.insertion import before_line_of
from esper_audit.source.syntax.loop_inputs import comprehension_around, is_fed_by
from esper_audit.source.syntax.names import identifiers
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` builds an autograd graph in an evaluation: `{}` is in eval mode since line {}, and nothing runs "
    "backward. Evaluate under `torch.no_grad()`"
)
# What a function names that needs gradients of its evaluation.
GRADIENT_WORDS = frozenset(
    {"grad", "requires_grad", "requires_grad_", "backward", "jacobian", "vjp"}
)

DERIVATIVES = ("torch.autograd.grad", "torch.autograd.functional.", "torch.func.")
TRAINING_WORDS = frozenset({"train", "backward", "step", "zero_grad", "Parameter"})


class EvaluationWithGradients(Rule):
    """An evaluation builds an autograd graph that nothing uses.

    What: a loop or comprehension over data after `model.eval()` that calls the model on what it takes
    without `torch.no_grad()` or `inference_mode`, in a function that runs no backward and reads no
    gradient.

    Why: the graph keeps the activations of every layer, so an evaluation needs the memory of a training
    step. Outputs that are collected keep all graphs until the end.

    Quiet: a loop that counts or goes over models or a literal list, and random inputs, as in a trial; a
    result that is detached at once; `no_grad` as a block, as a decorator, around a call of the function in
    the same file, or by `set_grad_enabled`; a file that imports other packages and nothing of torch; a
    decorator of another package, which may switch them off; functions that use gradients, or whose caller
    in the file differentiates; a loop that hands the model to other code, as to an attack; the `forward` of
    a module.

    Tickets: real code
    """

    contract = "training-modes"
    category = Category.PERFORMANCE
    severity = Severity.P3
    roles = OUTSIDE_TESTS
    precision = (
        "22 of 22 by readers in 134 packages, after mending on them (hanlp, cornac, gandlf, "
        "pyqlib, modelscope); 15 of 20 in the last 65 unseen packages, before mending on them"
    )
    triggers = Triggers(calls=frozenset({"eval", "train"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report forward passes in eval mode that keep gradients on."""
        forward = file.once(_tracked_by_switch).get(node)
        if forward is None or not isinstance(node, ast.Call) or is_detached(forward.node, file):
            return
        flows = file.once(TrainingFlows).having(node, EventKind.EVAL)
        is_off = any(_is_without_gradients(flow, forward.node, file) for flow in flows)
        if is_off or not file.once(has_torch):  # else `torch.no_grad()` is no name there
            return
        if not (_needs_gradients(forward, file) or _is_left_to_others(forward, file)):
            code = quoted(file.code(forward.node))
            message = MESSAGE.format(code, forward.subject, node.lineno)
            yield Violation(forward.node, message, _decorated(node, forward, file))


def _decorated(switch: ast.Call, forward: TrainingEvent, file: FileView) -> Replacement | None:
    """Return the fix that puts `torch.no_grad()` on a function that evaluates and does nothing else."""
    functions = file.functions(forward.node)
    place = before_line_of(functions[-1], file.source.lines) if functions else None
    if place is None or functions[-1:] != file.functions(switch)[-1:]:
        return None
    if functions[-1].decorator_list or not isinstance(functions[-1], ast.FunctionDef):
        return None
    if TRAINING_WORDS & {w for n in ast.walk(functions[-1]) for w in identifiers(n)}:
        return None
    if file.source.names.resolve("torch") != "torch":
        return None
    indent = " " * place.column
    return Replacement(
        place, f"@torch.no_grad()\n{indent}", safe=False, description="evaluate without gradients"
    )


def _tracked_by_switch(file: FileView) -> dict[ast.AST, TrainingEvent]:
    """Return the forward pass to report for each switch to eval mode, each pass once."""
    found: dict[ast.AST, TrainingEvent] = {}
    for flow in file.once(TrainingFlows).flows:
        for switch in flow.of_kind(EventKind.EVAL):
            forward = _tracked_forward(flow, switch, file)
            if forward and all(forward.node is not other.node for other in found.values()):
                found.setdefault(switch.node, forward)
    return found


def _tracked_forward(
    flow: TrainingFlow, switch: TrainingEvent, file: FileView
) -> TrainingEvent | None:
    """Return the forward pass in a loop of evaluation that follows a switch to eval mode."""
    modes = [mode for mode in flow.of_kind(EventKind.TRAIN) if mode.subject == switch.subject]
    if any(mode.is_exclusive_with(switch) for mode in modes):
        # A condition decides about the mode.
        return None
    for event in flow.after(switch, EventKind.TRAIN, EventKind.FORWARD):
        if event.subject != switch.subject or event.is_exclusive_with(switch):
            continue
        if event.kind is EventKind.TRAIN:
            return None
        if is_fallback(event.node, file):
            continue
        if _is_evaluation(event, flow, file) and not has_no_gradients(event, flow, file):
            loop = _loop_around(event, file)
            is_found = loop is not None and is_fed_by(loop, event.node) and not _is_listed(loop)
            return event if is_found and _is_near(event, switch, file) else None
    return None


def _loop_around(event: TrainingEvent, file: FileView) -> ast.stmt | ast.expr | None:
    """Return the innermost loop or comprehension around a forward pass."""
    return comprehension_around(event.node, file) or (event.loops[-1] if event.loops else None)


def _is_listed(loop: ast.stmt | ast.expr) -> bool:
    """Return whether a loop goes over a list that stands there, as over modes or settings."""
    return isinstance(loop, ast.For) and isinstance(loop.iter, (ast.List, ast.Tuple))


def _is_near(forward: TrainingEvent, switch: TrainingEvent, file: FileView) -> bool:
    """Return whether the loop is in the function of the forward pass or of the switch, and no forward."""
    functions = [file.functions(node)[-1:] for node in (forward.node, switch.node)]
    is_forward = any(f.name == "forward" for f in functions[0])
    loop = _loop_around(forward, file)
    if loop is None or is_forward:
        return False
    return functions[0] == functions[1] or file.functions(loop)[-1:] in functions


def _is_evaluation(event: TrainingEvent, flow: TrainingFlow, file: FileView) -> bool:
    """Return whether the innermost loop around a forward pass runs no backward and no step."""
    loop = _loop_around(event, file)
    if loop is None or not isinstance(loop, ast.stmt):
        return loop is not None
    training = flow.of_kind(EventKind.BACKWARD, EventKind.STEP)
    return not any(other.is_in(loop) for other in training)


def _is_without_gradients(flow: TrainingFlow, node: ast.expr, file: FileView) -> bool:
    same = [event for event in flow.events if event.node is node]
    return any(has_no_gradients(event, flow, file) for event in same)


def _is_left_to_others(forward: TrainingEvent, file: FileView) -> bool:
    """Return whether a caller differentiates a pass, or an unknown decorator may switch its graph off."""
    functions = file.functions(forward.node)
    decorators = [d for function in functions for d in function.decorator_list]
    if any(_is_foreign(d.func if isinstance(d, ast.Call) else d, file) for d in decorators):
        return True
    handed = {a.id for c in file.nodes(ast.Call) for a in c.args if isinstance(a, ast.Name)}
    if handed & {function.name for function in functions[-1:]}:
        # What gets the function calls it, and may differentiate it.
        return True
    callers = [c for f in functions[-1:] for c in file.once(LocalCalls).callers(f)]
    around = [function for call in callers for function in file.functions(call)[-1:]]
    calls = [c for f in around for c in scan(f, {ast.Call}) if isinstance(c, ast.Call)]
    return any((file.resolve(call.func) or "").startswith(DERIVATIVES) for call in calls)


def _is_foreign(decorator: ast.expr, file: FileView) -> bool:
    """Return whether a decorator comes from a package other than torch and Python's own."""
    package, dot, _ = (file.resolve(decorator) or "").partition(".")
    return bool(dot) and package not in sys.stdlib_module_names | {"torch"}


def _needs_gradients(forward: TrainingEvent, file: FileView) -> bool:
    """Return whether the code around a forward pass uses or switches gradients."""
    functions = file.functions(forward.node)
    own = [flow for flow in file.once(TrainingFlows).flows if flow.function in functions[-1:]]
    is_training = any(flow.of_kind(EventKind.BACKWARD) for flow in own)
    loop = _loop_around(forward, file)
    around: ast.AST = functions[-1] if functions and not is_training else loop or forward.node
    words = scan(around, {ast.Attribute, ast.Name})
    is_named = any(GRADIENT_WORDS.intersection(identifiers(word)) for word in words)
    if is_named or (loop is not None and is_handed_on(forward.subject, loop, file)):
        return True
    whole: ast.AST = functions[-1] if functions else around
    calls = [call for call in scan(whole, {ast.Call}) if isinstance(call, ast.Call)]
    return any(file.resolve(call.func) in GRAD_SWITCHES for call in calls)
