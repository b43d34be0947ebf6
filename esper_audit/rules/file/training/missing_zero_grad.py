"""The rule `missing-zero-grad`: a training loop never clears its gradients."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import takewhile

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.training import missing_zero_grad_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.training.training_events import EventKind, TrainingEvent
from esper_audit.source.idioms.training.training_flow import TrainingFlow, TrainingFlows
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, text_of
from esper_audit.text.phrases import quoted


class MissingZeroGrad(Rule):
    """A training loop never clears its gradients.

    What: a loop that runs `backward` and the `step` of an optimizer, in the loop itself or in a
    function of the file that it calls, in which no gradient is cleared: no `zero_grad` of the
    optimizer or a module, no `p.grad = None`. A `zero_grad` before the loop clears the first batch only,
    one of another optimizer of the loop the parameters of that one.

    Why: each step then uses the sum of the gradients of all batches so far. The loss still falls at
    first, and the steps become larger and older.

    Quiet: gradient accumulation, which clears on some rounds; closures that clear; an optimizer or
    module that is made in the round; engines whose own `step` clears (`engine.backward(loss)`
    and `engine.step()`); optimizers of other libraries.

    Tickets: real code
    """

    contract = "cleared-gradients"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "1 of 1 by readers in 96 packages, after mending on them (theseus-ai); 1 of 2 in the last "
        "65 unseen packages, before mending on them"
    )
    triggers = Triggers(
        calls=frozenset({"backward", "manual_backward"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report backward passes of a loop that steps and never clears."""
        flows = file.once(TrainingFlows).having(node, EventKind.BACKWARD)
        unclear = (_step_of_uncleared_loop(flow, node) for flow in flows)
        found = [pair for pair in unclear if pair is not None]
        if not found or any(_is_cleared(flow, node) for flow in flows):
            return
        step, loop = found[0]
        name = step.subject
        yield Violation(
            node,
            f"`{quoted(file.code(node))}` adds to the gradients of all earlier batches: the loop in line "
            f"{loop.lineno} steps `{name}` and never clears them. Call `{name}.zero_grad()` before each backward",
        )


def _step_of_uncleared_loop(
    flow: TrainingFlow, node: ast.AST
) -> tuple[TrainingEvent, ast.stmt] | None:
    """Return the step after a backward pass in the same loop, with the loop."""
    for event in (event for event in flow.events if event.node is node and event.loops):
        loop = event.loops[-1]
        for step in flow.after(event, EventKind.STEP):
            if step.is_in(loop) and step.is_certain and not _is_fresh(step, event, loop):
                return step, loop
    return None


def _is_cleared(flow: TrainingFlow, node: ast.AST) -> bool:
    """Return whether the flow of a backward pass clears gradients where the pass runs again."""
    for event in (event for event in flow.events if event.node is node):
        clearing = flow.of_kind(EventKind.ZERO)
        if event.loops:
            loop = event.loops[-1]
            steps = flow.after(event, EventKind.STEP)
            is_attempt = any(_leaves_after(step.node, loop) for step in steps)
            clearing = [o for o in clearing if o.is_in(loop) or (is_attempt and not o.loops)]
        if clearing and not _is_of_others(clearing, event, flow):
            return True
    return False


def _is_of_others(clearing: list[TrainingEvent], event: TrainingEvent, flow: TrainingFlow) -> bool:
    """Return whether all that clear gradients are optimizers, and none is one that steps with a pass."""
    steps = [step for step in flow.of_kind(EventKind.STEP) if step.is_certain]
    following = flow.after(event, EventKind.BACKWARD, EventKind.STEP)
    own = list(takewhile(lambda later: later.kind is EventKind.STEP, following))
    others = {step.subject for step in steps} - {step.subject for step in own}
    return bool(own) and all(clear.subject in others for clear in clearing)


def _leaves_after(step: ast.AST, loop: ast.stmt) -> bool:
    """Return whether a `while` ends with the step: it tries or collects batches until there is one."""
    if not isinstance(loop, ast.While):
        return False
    owners = [node for node in scan(loop, {ast.If, ast.While}) if isinstance(node, ast.stmt)]
    branches = [node for node in owners if isinstance(node, ast.If)]
    leaving = {dotted(node.test) for node in branches if isinstance(node.body[-1], ast.Break)}
    following = [s for owner in owners for block in blocks(owner) for s in _behind(step, block)]
    return any(
        isinstance(s, ast.Break) or (isinstance(s, ast.Assign) and dotted(s.targets[0]) in leaving)
        for s in following
    )


def _behind(step: ast.AST, block: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a block behind that of a step, none if the step is not in the block."""
    values = [s.value if isinstance(s, (ast.Expr, ast.Assign)) else None for s in block]
    return block[values.index(step) + 1 :] if step in values else []


def _is_fresh(step: TrainingEvent, backward: TrainingEvent, loop: ast.stmt) -> bool:
    """Return whether the optimizer is made in the round, or belongs to an engine that clears itself."""
    call = backward.node
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
        if call.args and call.func.attr == "backward":
            return True  # `engine.backward(loss)`, whose own step clears
        if text_of(call.func.value) == step.subject:
            return True
    assigned = [a for a in scan(loop, {ast.Assign}) if isinstance(a, ast.Assign)]
    return any(dotted(t) == step.subject for a in assigned for t in a.targets)
