"""The monitor `accumulation-averaged`: accumulated gradients are those of the joint batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run

SCALINGS = ("DivBackward", "MulBackward")
STEPS_IN_A_ROW = 2


class AccumulationAveraged(Monitor):
    """The gradient of accumulated batches is their sum, not their mean.

    What: two steps in a row with the same number of backward passes, two or more, from one line, each of
    a loss that torch averaged over its batch and that is neither divided nor multiplied afterwards.

    Why: the gradient is as many times too large. A learning rate that was right for one batch is not.

    Quiet: losses that are scaled, losses with `reduction="sum"`, backward passes from different lines
    (the two halves of a discriminator's step), a number of passes that changes.

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

    def loss_called(self, name: str, arguments: Mapping[str, Any], place: UserLine) -> None:
        """Note whether the last loss is a mean."""
        self.is_averaged = arguments.get("reduction") in ("mean", "batchmean")

    def backward_begins(self, loss: Tensor, place: UserLine) -> None:
        """Count it by its line, and by whether its loss is a mean that nothing scales."""
        node = "" if loss.grad_fn is None else loss.grad_fn.name()
        is_plain = self.is_averaged and not node.startswith(SCALINGS) and loss.dim() == 0
        if not self.is_stepping:
            self.passes[place, is_plain] += 1

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """Count no pass of a closure: it is a further try, and not a further batch."""
        self.is_stepping = True

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """Report passes that are as many as in the step before."""
        self.is_stepping = False
        passes, self.passes = self.passes, Counter()
        ((line, is_plain), count), *others = passes.items() or [((place, False), 0)]
        if others or not is_plain or count < STEPS_IN_A_ROW:
            self.last, self.in_a_row = None, 0
            return
        self.look(place)
        self.in_a_row = self.in_a_row + 1 if self.last == (line, count) else 1
        self.last = (line, count)
        if self.in_a_row == STEPS_IN_A_ROW:
            message = f"{count} averaged losses are accumulated for a step: divide each by {count}"
            self.report("summed", line, message, passes=count)
