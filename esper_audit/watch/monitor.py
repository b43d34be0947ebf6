"""The base of a monitor: one contract of a training run, and the events that it may receive."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from esper_audit.rules.monitor_catalogue import monitor_modules
from esper_audit.rules.rule import Check

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine, Value
    from esper_audit.watch.run import Run


class Monitor(Check):
    """Checks one contract on the events of a run. Its id is the name of its file, with dashes.

    A monitor changes nothing of the run: no values, no random stream, and it keeps no graph alive.
    `nothing` is the reason to show where it had nothing to look at. With `stays` it receives events after
    the hooks of steps are gone, and calls of modules while `receives_calls` and after each `train` or
    `eval`.
    """

    nothing: ClassVar[str]
    stays: ClassVar[bool] = False
    receives_calls: bool = False

    def __init__(self, run: Run) -> None:
        self.run = run

    def look(self, place: UserLine) -> None:
        """Note that there was something to look at."""
        self.run.look(self.id, place)

    def report(self, code: str, place: UserLine, message: str, **evidence: Value) -> None:
        """Report a broken contract at a place."""
        self.run.report(self.id, code, place, message, **evidence)

    # The events. `place` is the user's line.

    def optimizer_built(self, optimizer: Optimizer, place: UserLine) -> None:
        """An optimizer was constructed."""

    def gradients_zeroed(self, owner: Optimizer | nn.Module, place: UserLine) -> None:
        """`zero_grad` of an optimizer or a module is about to run."""

    def module_ended(self, module: nn.Module, output: object) -> None:
        """A module returned, the root of a call or a part of another."""

    def call_begins(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        """A module is called that no other module calls. `inputs` are the positional ones."""

    def call_ended(self, module: nn.Module, output: object, place: UserLine) -> None:
        """A module returned that no other module had called."""

    def backward_begins(self, loss: Tensor, place: UserLine) -> None:
        """A backward pass begins."""

    def backward_ended(self, loss: Tensor, place: UserLine) -> None:
        """A backward pass is over."""

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """An optimizer is about to step."""

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """An optimizer has stepped."""

    def gradients_clipped(self, parameters: list[Tensor], place: UserLine) -> None:
        """Gradients are about to be clipped."""

    def gradients_unscaled(self, scaler: object, optimizer: Optimizer, place: UserLine) -> None:
        """A gradient scaler has unscaled the gradients of an optimizer."""

    def loss_scaled(self, scaler: object, place: UserLine) -> None:
        """A gradient scaler that is on has scaled a loss."""

    def scheduler_stepped(self, scheduler: object, place: UserLine) -> None:
        """A learning rate scheduler is about to step."""

    def loss_called(self, name: str, arguments: Mapping[str, Any], place: UserLine) -> None:
        """A loss function of torch is about to be computed."""

    def mode_changed(self, module: nn.Module, *, training: bool, place: UserLine) -> None:
        """`train` or `eval` of a module was called, not of the parts that it passes it on to."""

    def loader_started(self, loader: torch.utils.data.DataLoader[Any], place: UserLine) -> None:
        """A pass over a data loader begins."""

    def batch_loaded(
        self, loader: torch.utils.data.DataLoader[Any], number: int, batch: object
    ) -> None:
        """A data loader returned one of the first batches of a pass."""

    def numbers_drawn(self, streams: Mapping[str, str], place: UserLine) -> None:
        """Loading a batch drew random numbers: the state of each stream before, by its name.

        Comes from one of several ranks only, and also from forked workers of its loaders.
        """

    def epoch_set(self, sampler: object) -> None:
        """`set_epoch` of a sampler was called."""

    def object_saved(self, saved: object, place: UserLine) -> None:
        """`torch.save` is about to write an object."""

    def run_ended(self) -> None:
        """The process ends."""


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the parameters of all groups of an optimizer."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def make_monitors(run: Run, only: Collection[str]) -> list[Monitor]:
    """Return a monitor of each kind for a run, or those of some ids only."""
    return [kind(run) for name, kind in discover_monitors().items() if not only or name in only]


def discover_monitors() -> dict[str, type[Monitor]]:
    """Return every monitor by its id: each file in `monitors/` defines one."""
    found: dict[str, type[Monitor]] = {}
    for name in monitor_modules():
        module = importlib.import_module(name)
        classes = [v for v in vars(module).values() if isinstance(v, type)]
        monitors = [c for c in classes if issubclass(c, Monitor) and c.__module__ == name]
        found |= {monitor.id: monitor for monitor in monitors}
    return found
