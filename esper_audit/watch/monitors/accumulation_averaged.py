"""The monitor `accumulation-averaged`: accumulated gradients are those of the joint batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.joint_batch import MicroBatches
from esper_audit.watch.monitor import Monitor
from esper_audit.watch.records import UserLine

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from esper_audit.watch.run import Run

SCALINGS = ("DivBackward", "MulBackward")
MEAN = "MeanBackward"
STEPS_IN_A_ROW = 2
LEAST_RATIO = 1.5  # of the gradient to that of the joint batch


class AccumulationAveraged(Monitor):
    """The gradient of accumulated batches is their sum, not their mean.

    What: two steps in a row with the same number of backward passes, two or more, from one line, each of
    a loss that is averaged over its batch and neither divided nor multiplied afterwards. Where the
    batches fit, they are computed once more as one batch, in a forked process, and the gradients are
    compared.

    Why: the gradient is as many times too large. A learning rate that was right for one batch is not.

    Quiet: losses that are scaled, losses with `reduction="sum"`, gradients that are divided before the
    step, backward passes from different lines (the two halves of a discriminator's step), several losses
    of one batch, a number of passes that changes.

    Tickets: real code
    """

    contract = "accumulated-mean"
    category = Category.CORRECTNESS
    severity = Severity.P2
    nothing = "every step had one backward pass, or none of an averaged loss"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.is_averaged = False
        self.is_stepping = False
        self.passes: Counter[tuple[UserLine, bool]] = Counter()
        self.last: tuple[UserLine, int] | None = None
        self.in_a_row = 0
        self.batches = MicroBatches()
        self.ratio: float | None = None  # of the step under way
        self.is_asked = False

    def call_begins(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        """Keep the inputs."""
        self.batches.begin_call(module, inputs)

    def call_ended(self, module: nn.Module, output: object, place: UserLine) -> None:
        """Note what the call returned."""
        self.batches.end_call(output)

    def loss_called(self, name: str, arguments: Mapping[str, Any], place: UserLine) -> None:
        """Note whether the last loss is a mean."""
        self.is_averaged = arguments.get("reduction") in ("mean", "batchmean")
        self.batches.add_loss(name, arguments)

    def backward_begins(self, loss: Tensor, place: UserLine) -> None:
        """Count it by its line, and by whether its loss is a mean that nothing scales."""
        node = "" if loss.grad_fn is None else loss.grad_fn.name()
        is_mean = node.startswith(MEAN) or (self.is_averaged and not node.startswith(SCALINGS))
        if not self.is_stepping:
            self.passes[place, is_mean and loss.dim() == 0] += 1
        self.is_averaged = False

    def gradients_clipped(self, parameters: list[Tensor], place: UserLine) -> None:
        """Compare the gradients before they are clipped."""
        self._compare()

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """Count no pass of a closure: it is a further try, and not a further batch."""
        self.is_stepping = True
        self._compare()

    def _compare(self) -> None:
        """Compare the gradients with those of the joint batch, once, if the step may be reported."""
        counts = self._counts()
        if counts is not None and self.last == counts and not self.is_asked:
            self.is_asked = True
            self.ratio = self.batches.gradient_ratio(counts[1])

    def _counts(self) -> tuple[UserLine, int] | None:
        """Return the line and number of the passes so far, None if they are not of accumulation."""
        ((line, is_mean), count), *others = self.passes.items() or [
            ((UserLine("", 0, ""), False), 0)
        ]
        is_accumulation = is_mean and count >= STEPS_IN_A_ROW and not self.batches.is_one_batch
        return (line, count) if is_accumulation and not others else None

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """Report passes that are as many as in the step before."""
        self.is_stepping = False
        counts = self._counts()
        self.passes.clear()
        self.batches.clear()
        if counts is None:
            self.last, self.in_a_row = None, 0
            return
        self.look(place)
        self.in_a_row = self.in_a_row + 1 if self.last == counts else 1
        self.last = counts
        if self.in_a_row == STEPS_IN_A_ROW and (self.ratio is None or self.ratio > LEAST_RATIO):
            self._report_sum(*counts)

    def _report_sum(self, line: UserLine, count: int) -> None:
        message = f"{count} averaged losses are accumulated for a step: divide each by {count}"
        if self.ratio is None:
            self.report("summed", line, message, passes=count)
            return
        ratio = round(self.ratio, 2)
        message += f" (the gradient is {ratio} times that of the joint batch)"
        self.report("summed", line, message, passes=count, gradient_ratio=ratio)
