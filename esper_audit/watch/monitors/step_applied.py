"""The monitor `step-applied`: a step changes what has a gradient, and nothing that is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor, parameters_of

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run

SAMPLE = 64  # values of each parameter that are compared
STEPS_IN_A_ROW = 3


class StepApplied(Monitor):
    """A step changes nothing, or changes a frozen parameter.

    What: three steps in a row in which no sampled value of a parameter with a gradient changed (a
    learning rate of 0, updates below the resolution of half precision), and parameters with
    `requires_grad=False` that a step changed (left-over gradients, weight decay).

    Why: the run costs its time and learns nothing, or a backbone that should stay moves.

    Quiet: a warm-up that begins at 0, steps that a gradient scaler leaves out, gradients of zero.

    Tickets: real code
    """

    contract = "applied-steps"
    category = Category.CORRECTNESS
    severity = Severity.P1
    nothing = "no optimizer stepped"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.before: dict[int, list[tuple[Tensor, Tensor]]] = {}
        self.unchanged: dict[int, int] = {}

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """Keep some values of every parameter."""
        own = parameters_of(optimizer)
        self.before[id(optimizer)] = [(p, _sample(p)) for p in own]

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """Compare them."""
        kept = self.before.pop(id(optimizer), [])
        if kept:
            self.look(place)
        changed_frozen = [p for p, old in kept if not p.requires_grad and _differs(p, old)]
        if changed_frozen:
            message = (
                f"the step changed {len(changed_frozen)} frozen parameters: a gradient was left over "
                "when they were frozen. Set it to None, or build the optimizer without them"
            )
            self.report("frozen-changed", place, message, changed=len(changed_frozen))
        with_gradient = [(p.grad, p, old) for p, old in kept if p.grad is not None]
        is_unchanged = not any(_differs(p, old) for _, p, old in with_gradient)
        moving = [p for gradient, p, _ in with_gradient if is_unchanged and gradient.any()]
        is_still = bool(moving)
        count = self.unchanged[id(optimizer)] = (
            self.unchanged.get(id(optimizer), 0) + 1
        ) * is_still
        if count == STEPS_IN_A_ROW:
            rates = sorted({float(group["lr"]) for group in optimizer.param_groups})
            message = f"{count} steps changed no parameter, though {len(moving)} have gradients"
            self.report("unchanged", place, f"{message} (learning rate {rates[0]:g})", lr=rates[0])


def _sample(parameter: Tensor) -> Tensor:
    return parameter.detach().flatten()[:SAMPLE].clone()


def _differs(parameter: Tensor, before: Tensor) -> bool:
    return not bool((parameter.detach().flatten()[:SAMPLE] == before).all())
