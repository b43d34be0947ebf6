"""The monitor `resume-complete`: a checkpoint holds what the run needs to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run


class ResumeComplete(Monitor):
    """A checkpoint lacks state that the run goes on with.

    What: an object given to `torch.save` that holds more than a model (an epoch, an optimizer), and lacks
    the state of an optimizer with a state, of a scheduler or of a gradient scaler of this run.

    Why: the resumed run begins with empty moments, another learning rate or another scale, and differs
    from the run that was not interrupted.

    Quiet: weights alone, whole modules, optimizers without state.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P2
    nothing = "nothing was saved that a run could go on from"
    stays = True

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.wanted: dict[str, str] = {}
        self.saved: list[tuple[UserLine, str, set[str]]] = []

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """Note an optimizer that has a state."""
        if any(optimizer.state.values()):
            self.wanted["optimizer"] = type(optimizer).__name__

    def scheduler_stepped(self, scheduler: object, place: UserLine) -> None:
        """Note a scheduler."""
        self.wanted["scheduler"] = type(scheduler).__name__

    def loss_scaled(self, scaler: object, place: UserLine) -> None:
        """Note a gradient scaler that is on."""
        self.wanted["scaler"] = type(scaler).__name__

    def object_saved(self, saved: object, place: UserLine) -> None:
        """Note the states in what is saved. One checkpoint may be several files."""
        if not isinstance(saved, Mapping) or _is_weights(saved):
            return
        found = set(_states(saved, 0))
        progress = [
            key for key in saved if isinstance(key, str) and key.startswith(("epoch", "step"))
        ]
        if found or progress:
            self.look(place)
            self.saved.append((place, _keys(saved), found))

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """Compare what was saved since the last step with what the run has."""
        self._compare()

    def run_ended(self) -> None:
        """Compare what was saved after the last step."""
        self._compare()

    def _compare(self) -> None:
        saved, self.saved = self.saved, []
        found = set().union(*(states for _, _, states in saved))
        lacking = [f"{kind} ({name})" for kind, name in self.wanted.items() if kind not in found]
        if saved and lacking:
            place, keys, _ = saved[0]
            message = (
                f"the checkpoint holds {keys}, and lacks the state of the {', '.join(lacking)}"
            )
            self.report("incomplete", place, message)


def _is_weights(saved: Mapping[object, object]) -> bool:
    return all(isinstance(value, Tensor) for value in saved.values())


def _keys(saved: Mapping[object, object]) -> str:
    return ", ".join(f"{key}" for key in list(saved)[:6])


def _states(value: object, depth: int) -> Iterator[str]:
    """Yield the kinds of state that are in a saved object, recognised by their keys."""
    if isinstance(value, list | tuple) and depth < 4:
        for item in value:
            yield from _states(item, depth + 1)
    if not isinstance(value, Mapping):
        return
    keys = {key for key in value if isinstance(key, str)}
    if {"state", "param_groups"} <= keys:
        yield "optimizer"
    elif {"last_epoch", "_step_count"} <= keys or {"best", "num_bad_epochs"} <= keys:
        yield "scheduler"
    elif {"scale", "growth_factor"} <= keys:
        yield "scaler"
    elif depth < 4:
        for item in value.values():
            yield from _states(item, depth + 1)
