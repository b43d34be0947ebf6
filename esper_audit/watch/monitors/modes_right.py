"""The monitor `modes-right`: training runs in train mode, evaluation in eval mode without gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor
from esper_audit.watch.user_frame import is_called_by

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run

MODE_MATTERS = (
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm,
)  # fmt: skip
STEPS_IN_A_ROW = 2
CALLS_IN_A_ROW = 2
EVALUATION_CALLS = 3
EVALUATIONS = 2  # that are watched, besides those after a change of mode
STEPS_AFTER = 3  # an evaluation, in which training may go on in eval mode


class ModesRight(Monitor):
    """A training step in eval mode, or an evaluation in train mode or with gradients.

    What: two training steps in a row through a model in eval mode with dropout or batch statistics, two
    calls in a row without gradients of a model that trains and is in train mode, and three calls in a
    row in eval mode that build a graph which no backward pass uses.

    Why: dropout and batch statistics stay off for the rest of the run, or disturb what is measured and
    learn from validation data. A graph costs memory that an evaluation does not need.

    Quiet: models in which no part has a mode, backbones in eval mode below a model in train mode,
    `update_bn`, teachers that do not train.

    Tickets: real code
    """

    contract = "training-modes"
    category = Category.CORRECTNESS
    severity = Severity.P1
    nothing = "no model whose parts have a mode was called"
    stays = True

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.switched: WeakKeyDictionary[nn.Module, UserLine] = WeakKeyDictionary()
        self.called: WeakSet[nn.Module] = WeakSet()  # with gradients, since the last backward
        self.training_in_eval: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
        self.trained: WeakSet[nn.Module] = WeakSet()
        self.in_a_row: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
        self.receives_calls = True
        self.is_evaluating = False
        self.evaluations = 0
        self.steps_since = 0  # the last evaluation or change of mode

    def mode_changed(self, module: nn.Module, *, training: bool, place: UserLine) -> None:
        """Remember where the mode comes from."""
        self.switched[module] = place
        self.receives_calls, self.steps_since = True, 0
        self.in_a_row.pop(module, None)

    def call_ended(self, module: nn.Module, output: object, place: UserLine) -> None:
        """Count the calls of a model by their mode."""
        if not _has_mode(module):
            return
        self.look(place)
        if self.run.grad_enabled and _requires_grad(output):
            self.called.add(module)
        if module not in self.trained:
            return
        count = self.in_a_row[module] = self.in_a_row.get(module, 0) + 1
        self.is_evaluating |= count > 1 or not self.run.grad_enabled
        if not self.run.grad_enabled:
            self._without_gradients(module, count, place)
        elif not module.training and _requires_grad(output) and count == EVALUATION_CALLS:
            message = (
                f"{count} calls in eval mode build graphs for no backward pass: use torch.no_grad()"
            )
            self.report("with-gradients", place, message, calls=count)

    def _without_gradients(self, module: nn.Module, count: int, place: UserLine) -> None:
        is_recalibrated = is_called_by("update_bn", "torch.optim.swa_utils")
        if count == CALLS_IN_A_ROW and _is_training(module) and not is_recalibrated:
            message = (
                f"{type(module).__name__} is evaluated in train mode: dropout is on, or batch "
                "statistics learn from what is measured. Call eval() before it"
            )
            self.report("evaluated-in-train-mode", place, message)

    def backward_begins(self, loss: Tensor, place: UserLine) -> None:
        """Take the models that were called for those that train."""
        self.in_a_row.clear()
        if self.is_evaluating:
            self.evaluations, self.steps_since, self.is_evaluating = self.evaluations + 1, 0, False
        for module in self.called:
            self.trained.add(module)
            learns = any(parameter.requires_grad for parameter in module.parameters())
            is_off = learns and not module.training and not _is_training(module)
            count = self.training_in_eval.get(module, 0)
            self.training_in_eval[module] = count + 1 if is_off else 0
        self.called.clear()

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """Report a model that trains in eval mode."""
        for module, count in self.training_in_eval.items():
            if count >= STEPS_IN_A_ROW:
                since = self.switched.get(module, place)
                message = (
                    f"{type(module).__name__} trains in eval mode: dropout and batch statistics are "
                    f"off since this call. Call train() before the next step"
                )
                self.report("trained-in-eval-mode", since, message, steps=count)
        self.steps_since += 1
        self.receives_calls = self.evaluations < EVALUATIONS or self.steps_since < STEPS_AFTER


def _has_mode(module: nn.Module) -> bool:
    return any(isinstance(part, MODE_MATTERS) for part in module.modules())


def _is_training(module: nn.Module) -> bool:
    """Return whether a part in which the mode matters is in train mode."""
    return any(part.training for part in module.modules() if isinstance(part, MODE_MATTERS))


def _requires_grad(output: object) -> bool:
    if isinstance(output, Tensor):
        return output.requires_grad
    if isinstance(output, dict):
        return any(map(_requires_grad, output.values()))
    return isinstance(output, tuple | list) and any(map(_requires_grad, output))
