"""The corpus of the probe `checkpoint-round-trip`: modules with state in various places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from subjects.cases import Case, broken, sound
from torch import Tensor, nn

from esper_audit.subject import Checkpointed, PlainValue, promise, sequences


class Counting(nn.Module):
    """A layer whose output is scaled by the number of training steps.

    Subclasses choose where that is stored.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.count += 1.0
        return self.linear(x) * (1.0 + self.count)


class PythonAttribute(Counting):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        del self.count
        self.count = 0.0


class NonPersistentBuffer(Counting):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        del self.count
        self.register_buffer("count", torch.zeros(()), persistent=False)


class PlainTensor(Counting):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        del self.count
        self.count = torch.zeros(())


class ExtraState(PythonAttribute):
    def get_extra_state(self) -> dict[str, float]:
        return {"count": self.count}

    def set_extra_state(self, state: dict[str, float]) -> None:
        self.count = state["count"]


class LenientExtraState(ExtraState):
    """Reads another key than it writes, with a default."""

    def set_extra_state(self, state: dict[str, float]) -> None:
        self.count = state.get("counter", 0.0)


class Tally:
    def __init__(self, count: float) -> None:
        self.count = count


class PickledState(PythonAttribute):
    def get_extra_state(self) -> Tally:
        return Tally(self.count)

    def set_extra_state(self, state: Tally) -> None:
        self.count = state.count


class GrowsLater(nn.Module):
    """Gets a second layer during training, for which a fresh module has no key."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(dim, dim)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def grow(module: GrowsLater) -> None:
    module.layers.append(nn.Linear(8, 8))


class HiddenLayers(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = [nn.Linear(dim, dim)]
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[0](x) * self.scale


class ForgetsItsSchedule(nn.Module):
    """The current output is right, but the next step of the schedule starts from the beginning."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.register_buffer("alpha", torch.zeros(()))
        self.ticks = 0

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, self.linear(x), self.alpha)

    def tick(self) -> None:
        self.ticks += 1
        self.alpha.fill_(self.ticks / 10)


class Accumulates(nn.Module):
    """Raises its share at every second or fifth tick, and the number of ticks is not saved.

    After two ticks a loaded module starts again from zero, which has no effect at first.
    """

    every = 2

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.register_buffer("alpha", torch.zeros(()))
        self.ticks = 0

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, self.linear(x), self.alpha)

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks % self.every == 0:
            self.alpha.fill_(self.ticks / 100)


class AccumulatesFive(Accumulates):
    every = 5


class CountsItsTicks(AccumulatesFive):
    """The same with its count in the checkpoint."""

    def get_extra_state(self) -> dict[str, int]:
        return {"ticks": self.ticks}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.ticks = state["ticks"]


class LagsBehind(Accumulates):
    """A decision takes effect three ticks later, and pending ones are lost."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.decided: list[float] = []

    def tick(self) -> None:
        self.ticks += 1
        self.decided.append(self.ticks / 10)
        if len(self.decided) > 3:
            self.alpha.fill_(self.decided.pop(0))


class LazyHistory(Accumulates):
    """Creates its buffer at the fourth tick of a count that is lost."""

    def tick(self) -> None:
        self.ticks += 1
        if self.ticks == 4:
            self.register_buffer("history", torch.full((), 0.5), persistent=False)
            self.alpha.copy_(self.history)


class Momentum(nn.Module):
    """An average of weights that continues with its previous change."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.velocity = torch.zeros(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)

    def tick(self) -> None:
        with torch.no_grad():
            self.velocity = 0.9 * self.velocity + 0.1 * self.linear.weight
            self.linear.weight.add_(self.velocity)


class SavedMomentum(Momentum):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        del self.velocity
        self.register_buffer("velocity", torch.zeros(dim, dim))


class StrictExtraState(ExtraState):
    """Refuses a checkpoint with other keys than its own."""

    def set_extra_state(self, state: dict[str, float]) -> None:
        if set(state) != {"count"}:
            raise KeyError(f"got {sorted(state)}, expected count")
        super().set_extra_state(state)


class DefaultExtraState(StrictExtraState):
    """Reads the key that it writes, and ignores its absence."""

    def set_extra_state(self, state: dict[str, float]) -> None:
        if set(state) <= {"count"}:
            self.count = state.get("count", 0.0)
        else:
            raise KeyError(f"got {sorted(state)}, expected count")


class Versioned(StrictExtraState):
    """Writes the number of its format and reads no other."""

    def get_extra_state(self) -> dict[str, float]:
        return {"format": 2, "count": self.count}

    def set_extra_state(self, state: dict[str, float]) -> None:
        if state["format"] != 2:
            raise ValueError(f"got format {state['format']}, expected 2")
        super().set_extra_state({"count": state["count"]})


class ReadsAnyVersion(Versioned):
    def set_extra_state(self, state: dict[str, float]) -> None:
        super().set_extra_state({**state, "format": 2})


class FreezesOnTheWay(nn.Module):
    """Training selects which of two layers learns, and the selection is not saved."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


def freeze(module: FreezesOnTheWay) -> None:
    module.first.requires_grad_(False)


def cases() -> Iterator[Case]:
    yield sound(_module("buffer", Counting))
    yield sound(_module("extra-state", ExtraState))
    yield sound(
        _module("batch-norm", lambda dim: nn.Sequential(nn.Linear(dim, dim), nn.BatchNorm1d(8)))
    )
    yield sound(_module("dropout", lambda dim: nn.Sequential(nn.Linear(dim, dim), nn.Dropout(0.3))))
    yield sound(_module("counts-its-ticks", CountsItsTicks, advance=CountsItsTicks.tick))
    yield sound(_module("saved-momentum", SavedMomentum, advance=Momentum.tick))
    yield sound(_module("strict", StrictExtraState, strict=True))
    yield sound(_module("versioned", Versioned, version="format"))
    yield broken(_module("any-version", ReadsAnyVersion, version="format"), "takes-version")
    yield sound(_module("free-entries", ExtraState, strict=True, open=("_extra_state",)))
    for build in (PythonAttribute, NonPersistentBuffer, PlainTensor, LenientExtraState):
        yield broken(_module(build.__name__, build), "output gradients next-steps")
    yield broken(_module("hidden-layers", HiddenLayers), "output gradients next-steps")
    yield broken(_module("pickled-state", PickledState), "not-plain")
    yield broken(_module("grows-later", GrowsLater, advance=grow), "refused")
    schedule = _module("forgets-its-schedule", ForgetsItsSchedule, advance=ForgetsItsSchedule.tick)
    yield broken(schedule, "next-steps")
    frozen = _module("freezes-on-the-way", FreezesOnTheWay, advance=freeze)
    yield broken(frozen, "gradients next-steps")
    for build in (Accumulates, AccumulatesFive, LagsBehind, LazyHistory, Momentum):
        yield broken(_module(build.__name__, build, advance=build.tick), "next-steps")
    yield broken(_module("takes-less", DefaultExtraState, strict=True), "takes-less")
    yield broken(_module("takes-more", ExtraState, strict=True), "takes-more")


def _nothing(_module: Any) -> None:
    return


def _module(
    name: str,
    build: Callable[[int], nn.Module],
    advance: Callable[[Any], object] = _nothing,
    **parameters: PlainValue,
) -> Checkpointed:
    return Checkpointed(
        name=name,
        build=build,
        inputs=sequences,
        dims=(8,),
        advance=advance,
        promises=[promise("checkpoint-round-trip", **parameters)],
    )
