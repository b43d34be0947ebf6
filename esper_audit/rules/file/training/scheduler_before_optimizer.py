"""The rule `scheduler-before-optimizer`: a learning rate changes before the first step has used it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.training.training_events import EventKind, TrainingEvent
from esper_audit.source.idioms.training.training_flow import TrainingFlow, TrainingFlows
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` changes the learning rate before the optimizer has used it (its step is line {}): the "
    "first value of the schedule is skipped. Step the scheduler after the optimizer"
)


class SchedulerBeforeOptimizer(Rule):
    """A learning rate scheduler steps before the optimizer in each round.

    What: in the body of a loop, or of a function that runs backward, `step` of one of torch's schedulers
    without a condition, in front of the first `step` of an optimizer in the same round, inner loops and
    functions of the file included.

    Why: since torch 1.1 a scheduler sets the rate of the next step. The first value is skipped, every
    later one comes a round early, and a warm-up starts in the middle.

    Quiet: a scheduler that steps after the optimizer, under a condition, or at the end of the round; one
    whose `last_epoch` the file sets back, so that the first step applies the first value; schedulers of
    other libraries, which have conventions of their own.

    Tickets: real code
    """

    contract = "step-order"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = "2 of 2 by a reader in 118 packages (fedml); 0 of 1 in 28 before mending on them"
    triggers = Triggers(calls=frozenset({"step"}), collected=frozenset({"Assign"}))

    VALID = (
        Valid(
            "after the optimizer",
            """
            import torch

            def fit(net, batches):
                opt = torch.optim.SGD(net.parameters(), lr=0.1)
                schedule = torch.optim.lr_scheduler.StepLR(opt, 10)
                for x in batches:
                    net(x).mean().backward()
                    opt.step()
                    schedule.step()
            """,
        ),
        Valid(
            "once an epoch, after the batches",
            """
            import torch
            from torch.optim.lr_scheduler import ReduceLROnPlateau

            def main(net, data):
                opt = torch.optim.Adam(net.parameters())
                plateau = ReduceLROnPlateau(opt)
                for epoch in range(9):
                    for x in data:
                        net(x).mean().backward()
                        opt.step()
                    plateau.step(measure(net))
            """,
        ),
        Valid(
            "under a condition that leaves out the first round",
            """
            import torch

            def main(net, data):
                opt = torch.optim.Adam(net.parameters())
                schedule = torch.optim.lr_scheduler.ExponentialLR(opt, 0.9)
                for epoch in range(9):
                    if epoch > 0:
                        schedule.step()
                    for x in data:
                        net(x).mean().backward()
                        opt.step()
            """,
        ),
        Valid(
            "set back by one, so that the first step applies the first value",
            """
            import torch

            def main(net, data, start):
                opt = torch.optim.Adam(net.parameters())
                schedule = torch.optim.lr_scheduler.ExponentialLR(opt, 0.9)
                schedule.last_epoch = start - 1
                for epoch in range(start, 9):
                    schedule.step()
                    for x in data:
                        net(x).mean().backward()
                        opt.step()
            """,
        ),
        Valid(
            "a scheduler of another library",
            """
            def main(net, data, opt, schedule):
                for epoch in range(9):
                    schedule.step(epoch)
                    for x in data:
                        net(x).mean().backward()
                        opt.step()
            """,
        ),
        Valid(
            "two phases with an optimizer each",
            """
            import torch

            def main(net, data):
                first = torch.optim.Adam(net.parameters())
                schedule = torch.optim.lr_scheduler.ExponentialLR(first, 0.9)
                second = torch.optim.SGD(net.parameters(), lr=1)
                for x in data:
                    net(x).mean().backward()
                    first.step()
                    schedule.step()
                    net(x).mean().backward()
                    second.step()
            """,
        ),
    )
    INVALID = (
        Invalid(
            "at the start of an epoch",
            """
            import torch

            def main(net, data):
                opt = torch.optim.Adam(net.parameters())
                schedule = torch.optim.lr_scheduler.ExponentialLR(opt, 0.9)
                for epoch in range(9):
                    schedule.step()
                    for x in data:
                        net(x).mean().backward()
                        opt.step()
            """,
            ((7, MESSAGE.format("schedule.step()", 10)),),
        ),
        Invalid(
            "in front of the optimizer's step",
            """
            from torch import optim

            class Learner:
                def __init__(self, net):
                    self.opt = optim.AdamW(net.parameters())
                    self.rates = optim.lr_scheduler.OneCycleLR(self.opt, 0.1, 100)

                def fit(self, batches):
                    for batch in batches:
                        self.opt.zero_grad()
                        self.loss(batch).backward()
                        self.rates.step()
                        self.opt.step()
            """,
            ((12, MESSAGE.format("self.rates.step()", 13)),),
        ),
        Invalid(
            "with the batches in a function of the file",
            """
            import torch

            def epoch_of(net, data, opt):
                for x in data:
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()


            def main(net, data):
                adam = torch.optim.Adam(net.parameters())
                cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=9)
                for _ in range(9):
                    cosine.step()
                    epoch_of(net, data, adam)
            """,
            ((14, MESSAGE.format("cosine.step()", 6)),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report scheduler steps in front of the optimizer's step."""
        for flow in file.once(TrainingFlows).having(node, EventKind.SCHEDULE):
            step = _first_step_after(flow, node)
            if step is not None and not _is_set_back(node, file):
                yield Violation(node, MESSAGE.format(quoted(file.code(node)), step.node.lineno))
                return


def _is_set_back(node: ast.AST, file: FileView) -> bool:
    """Return whether the file sets the round that a scheduler counts from."""
    scheduler = dotted(node.func).rpartition(".")[0] if isinstance(node, ast.Call) else ""
    targets = [target for statement in file.nodes(ast.Assign) for target in statement.targets]
    return any(dotted(target) == f"{scheduler}.last_epoch" for target in targets)


def _first_step_after(flow: TrainingFlow, node: ast.AST) -> TrainingEvent | None:
    """Return the optimizer's step that follows the step of a scheduler in its round."""
    event = next(event for event in flow.events if event.node is node)
    if event.kind is not EventKind.SCHEDULE:
        return None
    loop = event.loops[-1] if event.loops else None
    if event.conditions(loop) or (loop is None and not flow.of_kind(EventKind.BACKWARD)):
        return None
    is_inside = flow.function is not None or loop is not None
    steps = [s for s in flow.of_kind(EventKind.STEP) if loop is None or s.is_in(loop)]
    steps = steps if is_inside else []
    position = flow.events.index(event)
    if not steps or any(flow.events.index(step) < position for step in steps):
        return None
    return steps[0]
