"""The rule `train-mode-not-restored`: a training loop goes on in eval mode after an evaluation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
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
from esper_audit.source.syntax.names import dotted
from esper_audit.text.phrases import quoted

OWN_SWITCH = re.compile(r"\.(set_)?train(ing)?_mode$|\.set_train(ing)?$")
MESSAGE = (
    "`{}` leaves `{}` in eval mode for the rest of the loop in line {}, which goes on training it "
    "(step in line {}). Call `{}.train()` after the evaluation"
)


class TrainModeNotRestored(Rule):
    """A training loop goes on in eval mode after an evaluation.

    What: `model.eval()` in a loop that also steps an optimizer, in the loop itself or in a function of
    the file that it calls, without any `train()` of a module in the same loop.

    Why: from the first evaluation on, dropout is off and batch norm uses its running statistics, which
    no longer move. The loss looks better than before, and the model generalises worse.

    Quiet: a `train()` anywhere in the loop, in its helpers or in a restoring `model.train(mode)`, also by a
    method of the model such as `set_train_mode`; an
    evaluation after the loop or in a branch that leaves it; modules that no optimizer of the loop trains.

    Tickets: real code
    """

    contract = "training-modes"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = "3 of 4 by a reader in 118 packages (sktime, openhgnn, modelscope); before: 2 of 5 in 49, 2 of 2 in 47"
    triggers = Triggers(calls=frozenset({"eval", "train"}))

    VALID = (
        Valid(
            "an evaluator that is given the model",
            """
            def main(net, data, evaluator, opt):
                for i, x in enumerate(data):
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
                    if i % 100 == 0:
                        evaluator.eval(net)
            """,
        ),
        Valid(
            "a method of the model switches back",
            """
            def main(net, data, held_out, opt):
                for i, x in enumerate(data):
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
                    if i % 100 == 0:
                        net.eval()
                        measure(net, held_out)
                        net.set_train_mode()
            """,
        ),
        Valid(
            "train mode at the start of each epoch",
            """
            def main(net, data, held_out, opt):
                for epoch in range(9):
                    net.train()
                    for x in data:
                        opt.zero_grad()
                        net(x).mean().backward()
                        opt.step()
                    net.eval()
                    measure(net, held_out)
            """,
        ),
        Valid(
            "the helper restores the mode",
            """
            def measure(net, held_out):
                mode = net.training
                net.eval()
                score = sum(net(x) for x in held_out)
                net.train(mode)
                return score


            def main(net, data, held_out, opt):
                for x in data:
                    net(x).mean().backward()
                    opt.step()
                    measure(net, held_out)
            """,
        ),
        Valid(
            "the helper that trains sets the mode",
            """
            def learn(net, data, opt):
                net.train()
                for x in data:
                    net(x).mean().backward()
                    opt.step()


            def main(net, data, held_out, opt):
                for epoch in range(9):
                    learn(net, data, opt)
                    net.eval()
                    measure(net, held_out)
            """,
        ),
        Valid(
            "an evaluation that ends the loop",
            """
            def main(net, data, opt):
                for i, x in enumerate(data):
                    net(x).mean().backward()
                    opt.step()
                    if i == 100:
                        net.eval()
                        return net
            """,
        ),
        Valid(
            "a frozen teacher",
            """
            import torch

            def main(student, teacher, data):
                opt = torch.optim.SGD(student.parameters(), lr=0.1)
                for x in data:
                    teacher.eval()
                    (student(x) - teacher(x)).square().mean().backward()
                    opt.step()
                    opt.zero_grad()
            """,
        ),
        Valid(
            "a target network, and the statistics of a part",
            """
            import copy
            class Agent:
                def sync(self):
                    if self.target is None:
                        self.target = copy.deepcopy(self.net)
                        self.target.eval()
                def learn(self, batches):
                    for batch in batches:
                        self.loss(self.net(batch)).backward()
                        self.optimizer.step()
                        self.sync()
                def fit(self, batches):
                    self.net.train()
                    for epoch in range(3):
                        for batch in batches:
                            self.loss(self.net(batch)).backward()
                            self.optimizer.step()
                        self.net.statistics.eval()
            """,
        ),
        Valid(
            "each block in its turn",
            """
            def main(blocks, data):
                for block in blocks:
                    opt = Adam(block.parameters())
                    for x in data:
                        block(x).mean().backward()
                        opt.step()
                        opt.zero_grad()
                    block.eval()
                    data = [block(x).detach() for x in data]
            """,
        ),
    )
    INVALID = (
        Invalid(
            "train mode before the loop only",
            """
            def main(net, data, held_out, opt):
                net.train()
                for epoch in range(9):
                    for x in data:
                        opt.zero_grad()
                        net(x).mean().backward()
                        opt.step()
                    net.eval()
                    measure(net, held_out)
            """,
            ((8, MESSAGE.format("net.eval()", "net", 3, 7, "net")),),
        ),
        Invalid(
            "in the evaluating function",
            """
            class Learner:
                def score(self, held_out):
                    self.net.train(False)
                    return sum(self.net(x).sum().item() for x in held_out)

                def fit(self, data, held_out):
                    while not self.done:
                        self.loss(self.net(next(data))).backward()
                        self.adam.step()
                        self.adam.zero_grad()
                        self.score(held_out)
            """,
            ((3, MESSAGE.format("self.net.train(False)", "self.net", 7, 9, "self.net")),),
        ),
        Invalid(
            "every few steps, at the top of a script",
            """
            import torch

            opt = torch.optim.SGD(lstm.parameters(), lr=0.1)
            lstm.train()
            for i, batch in enumerate(batches):
                lstm(batch).mean().backward()
                opt.step()
                opt.zero_grad()
                if i % 100 == 0:
                    lstm.eval()
                    with torch.no_grad():
                        print(lstm(held_out).mean())
            """,
            ((10, MESSAGE.format("lstm.eval()", "lstm", 5, 7, "lstm")),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report switches to eval mode that a training loop keeps."""
        flows = file.once(TrainingFlows).having(node, EventKind.EVAL)
        kept = [pair for flow in flows if (pair := _kept_in_loop(flow, node, file)) is not None]
        if not kept or any(_is_restored(flow, node) for flow in flows):
            return
        event, step = kept[0]
        loop = _shared_loop(event, step)
        if loop is not None:
            name = event.subject
            code = quoted(file.code(node))
            line = step.node.lineno
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
        if loop is not None and is_evaluation and is_trained:
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
    forward = [other for other in flow.of_kind(EventKind.FORWARD) if other.subject == event.subject]
    if forward:
        return all(has_no_gradients(other, flow, file) for other in forward)
    is_part = event.subject.count(".") > 1
    called = event.node.func if isinstance(event.node, ast.Call) else event.node
    module = called.value if isinstance(called, ast.Attribute) else called
    return is_part or "copy.deepcopy" in file.once(Constructors).of(module)


def _is_restored(flow: TrainingFlow, node: ast.AST) -> bool:
    """Return whether a module is set to train mode where the loop runs again."""
    event = next(event for event in flow.events if event.node is node)
    modes = flow.of_kind(EventKind.TRAIN)
    if any(_has_own_switch(loop, event.subject) for loop in event.loops):
        return True
    if not event.loops:
        return any(mode.subject == event.subject for mode in flow.after(event, EventKind.TRAIN))
    return any(_shared_loop(event, mode) is not None for mode in modes)


def _has_own_switch(loop: ast.stmt, module: str) -> bool:
    """Return whether a loop calls a method of a module with a name such as `set_train_mode`."""
    calls = (c for c in scan(loop, {ast.Call}) if isinstance(c, ast.Call))
    names = (dotted(c.func) for c in calls)
    return any(n.startswith(f"{module}.") and OWN_SWITCH.search(n) for n in names)


def _shared_loop(event: TrainingEvent, other: TrainingEvent) -> ast.stmt | None:
    """Return the innermost loop around both events."""
    shared = [loop for loop in event.loops if other.is_in(loop)]
    return shared[-1] if shared else None


def _leaves_loop(event: TrainingEvent) -> bool:
    """Return whether the branch of an event ends the loop."""
    statement, number = event.path[-1] if event.path else (None, 0)
    if not isinstance(statement, ast.If):
        return False
    block = statement.orelse if number else statement.body
    return isinstance(block[-1], (ast.Return, ast.Break, ast.Raise))
