"""The monitor `loss-inputs`: a loss function gets what it expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor

if TYPE_CHECKING:
    from esper_audit.watch.records import UserLine

ROUNDING = 1e-3
ELEMENTWISE = (
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "binary_cross_entropy_with_logits",
)


class LossInputs(Monitor):
    """A loss function gets probabilities for logits, or shapes that broadcast.

    What: rows that are not negative and sum to 1 in `cross_entropy`, values in [0, 1] that a sigmoid made
    in `binary_cross_entropy_with_logits`, values above 0 where `nll_loss` and `kl_div` expect logarithms,
    and an input and a target of different shapes in an element-wise loss.

    Why: a second softmax flattens the gradient, and a broadcast compares every row with every target.

    Quiet: class probabilities as targets, `log_target`, inputs of one row.

    Tickets: real code
    """

    contract = "loss-input"
    category = Category.CORRECTNESS
    severity = Severity.P1
    nothing = "no loss function of torch was called"

    def loss_called(self, name: str, arguments: Mapping[str, Any], place: UserLine) -> None:
        """Look at the values and the shapes."""
        given, target = arguments["input"], arguments["target"]
        if not (isinstance(given, Tensor) and isinstance(target, Tensor) and given.numel()):
            return
        self.look(place)
        if name in ELEMENTWISE and given.shape != target.shape:
            shapes = f"{tuple(given.shape)} and {tuple(target.shape)}"
            message = f"{name} got shapes {shapes}, which broadcast: reshape one to the other"
            self.report("broadcast", place, message)
        elif name == "cross_entropy" and given.dim() > 1 and _is_distribution(given):
            message = "cross_entropy got probabilities (rows sum to 1), expected logits: leave the softmax out"
            self.report("probabilities", place, message)
        elif name == "binary_cross_entropy_with_logits" and _is_sigmoid(given):
            message = f"{name} got the output of a sigmoid, expected logits: leave the sigmoid out"
            self.report("probabilities", place, message)
        elif name in ("nll_loss", "kl_div") and bool((given > ROUNDING).any()):
            largest = float(given.max())
            message = f"{name} got values up to {largest:.3g}, expected logarithms of probabilities"
            self.report("not-logarithms", place, message, largest=largest)


def _is_distribution(values: Tensor) -> bool:
    if values.shape[1] < 2 or not values.is_floating_point() or bool((values < 0).any()):
        return False
    return bool(((values.sum(1) - 1).abs() < ROUNDING).all())


def _is_sigmoid(values: Tensor) -> bool:
    node = values.grad_fn
    while node is not None and node.name().startswith(("View", "Reshape", "Squeeze", "Unsqueeze")):
        node = node.next_functions[0][0]
    return node is not None and node.name().startswith("SigmoidBackward")
