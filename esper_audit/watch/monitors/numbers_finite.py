"""The monitor `numbers-finite`: losses, gradients and parameters are finite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor, parameters_of

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run


# What is not finite in their output is in their input. A container returns the output of a part.
PASSES_ON = (
    nn.Sequential, nn.Identity, nn.Flatten, nn.Unflatten, nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh,
    nn.GELU, nn.SiLU, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d, nn.PixelShuffle, nn.Upsample,
)  # fmt: skip


class NumbersFinite(Monitor):
    """A loss, a gradient or a parameter is NaN or infinite.

    What: at a backward pass the loss, and at a step the gradients; the first module of the forward pass
    whose output was not finite is named.

    Why: one NaN reaches every parameter in the next step, and nothing brings them back.

    Quiet: gradients that a gradient scaler has scaled and will look at itself.

    Tickets: real code
    """

    contract = "finite-numbers"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P1
    nothing = "no backward pass"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        # Of the outputs of modules since the last backward pass.
        self.sums: list[tuple[str, Tensor]] = []
        self.is_scaled = False

    def loss_scaled(self, scaler: object, place: UserLine) -> None:
        """Leave what comes to the scaler."""
        self.is_scaled = True

    def module_ended(self, module: nn.Module, output: object) -> None:
        """Keep the sum of an output: it is finite if all of it is, and costs no wait for a device."""
        if not self.run.grad_enabled or isinstance(module, PASSES_ON):
            return
        for value in output if isinstance(output, tuple | list) else (output,):
            if isinstance(value, Tensor) and value.is_floating_point():
                self.sums.append((type(module).__name__, value.detach().sum()))

    def backward_begins(self, loss: Tensor, place: UserLine) -> None:
        """Report a loss that is not finite, with the module where it began."""
        self.look(place)
        sums, self.sums = self.sums, []
        if bool(torch.isfinite(loss).all()):
            return
        first = next((name for name, total in sums if not math.isfinite(total.item())), "")
        where = (
            f"the first output that is not finite is of {first}"
            if first
            else "all outputs are finite"
        )
        self.report("loss", place, f"the loss is {loss.flatten()[0].item()}: {where}", module=first)

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """Report gradients that are not finite."""
        if self.is_scaled:
            return
        own = parameters_of(optimizer)
        bad = [p for p in own if p.grad is not None and not _is_finite(p.grad)]
        if bad:
            shapes = ", ".join(f"{tuple(p.shape)}" for p in bad[:3])
            message = f"{len(bad)} gradients are not finite ({shapes}): the step spreads them"
            self.report("gradient", place, message, gradients=len(bad))


def _is_finite(gradient: Tensor) -> bool:
    values = gradient.coalesce().values() if gradient.is_sparse else gradient
    return math.isfinite(values.sum().item())
