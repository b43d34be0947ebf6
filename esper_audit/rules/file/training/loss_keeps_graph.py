"""The rule `loss-keeps-graph`: a running sum of losses keeps the autograd graph of every batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.training import loss_keeps_graph_cases as cases
from esper_audit.rules.rule import Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.numerics.gradient_modes import is_without_gradients
from esper_audit.source.idioms.training.attached_losses import (
    KeptLoss,
    attached_part,
    is_rebound,
    kept_losses,
    loss_terms,
)
from esper_audit.source.idioms.training.training_events import EventKind, is_loop
from esper_audit.source.idioms.training.training_flow import TrainingFlow, TrainingFlows
from esper_audit.source.syntax.ast_walk import returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, text_of
from esper_audit.text.phrases import quoted

DIVISIONS = (ast.Div, ast.FloorDiv, ast.Mod)
BOUNDED = frozenset({"collections.deque"})


class LossKeepsGraph(Rule):
    """A running sum of losses keeps the autograd graph of every batch.

    What: in a training loop, `total += loss`, `total = total + loss` or `losses.append(loss)` of a loss on
    which `backward` runs, or of a term of it that torch computes, also where the loss is returned by a
    function of the file that runs it, or added by a method of a class of the file (a meter), with a sum or
    list that outlives the round.

    Why: the sum is attached to the graphs of all batches so far. Memory grows with every step until the
    process is killed.

    Quiet: losses of a list that a loop goes over, which are those of one step; `loss.item()`,
    `float(loss)`, `loss.detach()`, before or in the sum; a sum that is reset in the round, or on which
    `backward` runs itself; a sum under `no_grad`; a `deque`.

    Off unless selected: `backward` has freed what the graph held, so a sum over few batches costs little.

    Tickets: real code
    """

    contract = "released-graph"
    category = Category.MEMORY_RESOURCE
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "5 of 10 by a reader in 230 packages (fedml, openhgnn, archai), one false one mended since"
    )
    triggers = Triggers(calls=frozenset({"backward", "manual_backward"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report statements that keep the loss of a backward pass."""
        flows = file.once(TrainingFlows).having(node, EventKind.BACKWARD)
        own = next((flow for flow in flows if _own_event(flow, node)), None)
        if own is None or not isinstance(node, ast.Call) or _is_in_operation(node, file):
            return
        event = next(event for event in own.events if event.node is node)
        summed = {name for e in own.of_kind(EventKind.BACKWARD) for name in _names(e.subject)}
        kept: list[KeptLoss] = []
        for name in _names(event.subject):
            if event.loops and _is_target(name, event.loops[-1]):
                continue  # one of the losses of a single step
            if event.loops:
                for part in (name, *loss_terms(event.loops[-1], name, file)):
                    kept += kept_losses(event.loops[-1], part, file)
                    kept += _kept_by_meters(event.loops[-1], part, file)
            elif own.function is not None:
                kept += _kept_by_callers(own.function, name, file)
                kept += _kept_on_self(own.function, name, file)
        for found in kept:
            is_free = found.keeper in summed or is_rebound(found, node, file)
            if not is_free and not _is_bounded(found, file):
                yield _violation(found, node, file)


def _is_in_operation(node: ast.Call, file: FileView) -> bool:
    """Return whether a backward pass is part of an operation of autograd, which runs without a graph."""
    owner = file.once(LocalCalls).owner(node)
    bases = owner.bases if owner is not None else []
    return any((file.resolve(base) or "") == "torch.autograd.Function" for base in bases)


def _is_target(name: str, loop: ast.stmt) -> bool:
    """Return whether a loop goes over losses."""
    return isinstance(loop, (ast.For, ast.AsyncFor)) and name in {
        node.id for node in scan(loop.target, {ast.Name}) if isinstance(node, ast.Name)
    }


def _own_event(flow: TrainingFlow, node: ast.AST) -> bool:
    return any(event.node is node and not event.helper for event in flow.events)


def _violation(kept: KeptLoss, backward: ast.Call, file: FileView) -> Violation:
    loss = quoted(file.code(kept.loss))
    return Violation(
        kept.statement,
        f"`{quoted(file.code(kept.statement))}` keeps the autograd graph of every batch: `{loss}` is still "
        f"attached to it (backward in line {backward.lineno}). Use `{loss}.item()` or `{loss}.detach()`",
        Replacement(
            kept.loss,
            f"{file.code(kept.loss)}.detach()",
            safe=True,
            description="detach the loss",
        ),
    )


def _names(loss: str) -> list[str]:
    """Return the names and attributes that the text of a loss is computed from, divisors left out."""
    expression = ast.parse(loss, mode="eval").body
    parts = [expression]
    found = []
    while parts:
        part = parts.pop()
        if isinstance(part, ast.BinOp):
            parts += [part.left] if isinstance(part.op, DIVISIONS) else [part.left, part.right]
        elif dotted(part):
            found.append(dotted(part))
    return found


def _kept_by_callers(function: Function, loss: str, file: FileView) -> Iterator[KeptLoss]:
    """Yield the statements in loops around the calls of a function that keep the loss it returns."""
    if not any(attached_part(value, loss) for value in returned_values(function)):
        return
    if _is_detached_in(function, loss):
        return
    for call in file.once(LocalCalls).callers(function):
        statements = file.enclosing(call)
        loops = [statement for statement in statements if is_loop(statement)]
        if not loops:
            continue
        yield from kept_losses(loops[-1], text_of(call), file)
        holder = statements[-1]
        if isinstance(holder, ast.Assign) and holder.value is call:
            yield from kept_losses(loops[-1], text_of(holder.targets[0]), file)


def _kept_by_meters(loop: ast.stmt, loss: str, file: FileView) -> Iterator[KeptLoss]:
    """Yield the calls in a loop by which a method of the file adds the loss to its own object."""
    calls, made = file.once(LocalCalls), file.once(Constructors)
    if _is_detached_in(loop, loss):
        return
    for statement in scan(loop, {ast.Expr}):
        call = statement.value if isinstance(statement, ast.Expr) else None
        function = call.func if isinstance(call, ast.Call) else None
        if not isinstance(call, ast.Call) or not isinstance(function, ast.Attribute):
            continue
        kinds = (calls.class_named(name[1:]) for name in made.of(function.value))
        methods = [m for kind in kinds if (m := calls.method(kind, function.attr)) is not None]
        pairs = [(m, *pair) for m in methods for pair in calls.arguments(call, m).items()]
        for method, name, value in pairs:
            part = attached_part(value, loss)
            is_kept = part is not None and any(True for _ in _kept_on_self(method, name, file))
            if part is not None and is_kept and not is_without_gradients(call, file):
                yield KeptLoss(file.enclosing(call)[-1], text_of(function.value), part)


def _kept_on_self(function: Function, loss: str, file: FileView) -> Iterator[KeptLoss]:
    """Yield the statements of a function of one step that keep its loss in an attribute of the object."""
    for kept in kept_losses(function, loss, file):
        if kept.keeper.startswith("self."):
            yield kept


def _is_detached_in(scope: ast.stmt, loss: str) -> bool:
    """Return whether a function or loop binds the name of the loss to a number."""
    assigned = [a for a in scan(scope, {ast.Assign}) if isinstance(a, ast.Assign)]
    named = [a.value for a in assigned if text_of(a.targets[0]) == loss]
    chosen = [v.body if isinstance(v, ast.IfExp) else v for v in named]
    return any(
        isinstance(v, ast.Call)
        and isinstance(v.func, ast.Attribute)
        and v.func.attr in ("item", "detach")
        for v in chosen
    )


def _is_bounded(kept: KeptLoss, file: FileView) -> bool:
    """Return whether a list keeps a few losses only."""
    call = kept.statement.value if isinstance(kept.statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    return not BOUNDED.isdisjoint(file.once(Constructors).of(call.func.value))
