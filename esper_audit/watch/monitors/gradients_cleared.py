"""The monitor `gradients-cleared`: a step applies the gradients of its own batches alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor, parameters_of

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run

LOOKED_AT = 8  # parameters of an optimizer whose gradients are asked


class GradientsCleared(Monitor):
    """A step applies gradients that an earlier step has applied already.

    What: between two steps of an optimizer its gradients were not cleared: neither `zero_grad` of it or
    of a module with its parameters was called, nor were the gradients None or zero at a backward pass.

    Why: gradients add up over the run. The steps grow, and point to what earlier batches wanted.

    Quiet: accumulation over several backward passes for a step, gradients that are cleared by hand,
    optimizers that step in turn, closures.

    Tickets: real code
    """

    contract = "cleared-gradients"
    category = Category.CORRECTNESS
    severity = Severity.P1
    nothing = "no optimizer stepped twice"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.applied: dict[int, Optimizer] = {}  # those whose gradients a step has used

    def gradients_zeroed(self, owner: Optimizer | nn.Module, place: UserLine) -> None:
        """Clear the optimizers that `owner` is, or whose parameters it holds."""
        zeroed = set(map(id, _parameters(owner)))
        for key, optimizer in list(self.applied.items()):
            if any(id(p) in zeroed for p in _first(optimizer)):
                del self.applied[key]

    def backward_begins(self, loss: Tensor, place: UserLine) -> None:
        """Clear the optimizers whose gradients are gone."""
        for key, optimizer in list(self.applied.items()):
            if not any(p.grad is not None and p.grad.any() for p in _first(optimizer)):
                del self.applied[key]

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """Report an optimizer that was not cleared."""
        if id(optimizer) in self.applied and not self.run.has_closure:
            self.look(place)
            message = (
                "the gradients of an earlier step are still there: call zero_grad() for each step"
            )
            self.report("not-cleared", place, message)

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """Remember that its gradients are used."""
        self.look(place)
        if any(p.grad is not None and p.grad.any() for p in _first(optimizer)):
            self.applied[id(optimizer)] = optimizer


def _first(optimizer: Optimizer) -> list[Tensor]:
    return parameters_of(optimizer)[:LOOKED_AT]


def _parameters(owner: Optimizer | nn.Module) -> list[Tensor]:
    from torch import nn

    if isinstance(owner, nn.Module):
        return list(owner.parameters())
    return parameters_of(owner)
