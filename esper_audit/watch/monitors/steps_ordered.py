"""The monitor `steps-ordered`: optimizer, scheduler, scaler and clipping come in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor, parameters_of

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run


class StepsOrdered(Monitor):
    """Scheduler, clipping or `zero_grad` comes at the wrong point of a step.

    What: a scheduler that steps before the first step of an optimizer, gradients that are clipped after
    the step that used them or before a gradient scaler unscales them, and gradients that are cleared
    between backward and step.

    Why: the first learning rate is skipped, nothing is clipped, or the step applies nothing.

    Quiet: schedulers that step before training resumes, clipping of what no step uses, gradients that
    another optimizer clears.

    Tickets: real code
    """

    contract = "step-order"
    category = Category.CORRECTNESS
    severity = Severity.P2
    nothing = "no optimizer stepped"
    stays = True

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.is_fresh = False  # gradients that no step has used
        self.has_scaled = False
        self.cleared_at: UserLine | None = None

    def backward_ended(self, loss: Tensor, place: UserLine) -> None:
        """Begin with new gradients."""
        self.is_fresh, self.cleared_at = True, None

    def loss_scaled(self, scaler: object, place: UserLine) -> None:
        """Expect an `unscale_` before a clipping."""
        self.has_scaled = True

    def gradients_unscaled(self, scaler: object, optimizer: Optimizer, place: UserLine) -> None:
        """Let clipping come."""
        self.has_scaled = False

    def gradients_clipped(self, parameters: list[Tensor], place: UserLine) -> None:
        """Report a clipping that comes too late, or too early."""
        self.look(place)
        if self.has_scaled:
            message = (
                "gradients are clipped while they are scaled: call scaler.unscale_(optimizer) first"
            )
            self.report("scaled-clip", place, message)
        elif not self.is_fresh and self.run.step:
            message = "gradients are clipped after the step that used them: clip between backward and step"
            self.report("late-clip", place, message)

    def gradients_zeroed(self, owner: Optimizer | nn.Module, place: UserLine) -> None:
        """Remember where gradients were cleared that no step has used."""
        if self.is_fresh:
            self.cleared_at = place

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """Report a step on cleared gradients."""
        self.look(place)
        if self.cleared_at is None:
            return
        own = parameters_of(optimizer)
        if not any(p.grad is not None and p.grad.any() for p in own):
            message = "gradients are cleared between backward and step: the step has none left"
            self.report("cleared-early", self.cleared_at, message)

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """Note that the gradients are used."""
        self.is_fresh, self.has_scaled, self.cleared_at = False, False, None

    def scheduler_stepped(self, scheduler: object, place: UserLine) -> None:
        """Report a scheduler that is ahead of the optimizer."""
        self.look(place)
        if self.is_fresh and self.run.step == 0:
            message = "the scheduler steps before the optimizer: the first learning rate is skipped"
            self.report("early-scheduler", place, message)
