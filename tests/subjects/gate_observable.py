"""The corpus of the probe `gate-observable`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import torch
from subjects.cases import Case, broken, sound
from torch import Tensor, nn

from esper_audit.subject import ObservedGate, promise, sequences

Statistics = dict[str, Tensor]


class Gated(nn.Module):
    """x + gate(x) seed(x), with one gate value for each token."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.seed, self.gate = nn.Linear(dim, dim), nn.Linear(dim, 1)
        self.last: Statistics | None = None

    def values(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.gate(x))

    def forward(self, x: Tensor) -> Tensor:
        gate = self.values(x)
        self.note(gate)
        return x + gate * self.seed(x)

    def note(self, gate: Tensor) -> None:
        self.last = self.summary(gate.detach())

    def summary(self, gate: Tensor) -> Statistics:
        return {
            "mean": gate.mean(),
            "std": gate.std(),
            "min": gate.min(),
            "max": gate.max(),
        }

    def statistics(self) -> Statistics | None:
        return self.last

    def learning(self) -> Sequence[nn.Parameter]:
        return [*self.seed.parameters(), *self.gate.parameters()]


class SaysNothing(Gated):
    def note(self, gate: Tensor) -> None:
        return


class MeanAlone(Gated):
    def summary(self, gate: Tensor) -> Statistics:
        return {"mean": gate.mean()}


class MeanAloneAndUnlearned(MeanAlone):
    """Neither reports all statistics, nor optimises its gate, nor can be copied."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.cache = threading.local()

    def learning(self) -> Sequence[nn.Parameter]:
        return list(self.seed.parameters())


class KeepsTheGraph(Gated):
    """Keeps the graph of every forward until the next one."""

    def note(self, gate: Tensor) -> None:
        self.last = self.summary(gate)

    def __deepcopy__(self, memo: dict[int, object]) -> Gated:
        return self

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return KeepsTheGraph, (8,)


class TellsTheLogits(Gated):
    def note(self, gate: Tensor) -> None:
        self.last = self.summary(torch.logit(gate.detach()))


class TellsTheFirst(Gated):
    def note(self, gate: Tensor) -> None:
        if self.last is None:
            super().note(gate)


class ConsumedByReading(Gated):
    """Reading the statistics resets a value that the next forward uses."""

    bonus = 0.0

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.bonus

    def statistics(self) -> Statistics | None:
        self.bonus = 1.0
        return super().statistics()


class GateOutsideTheOptimiser(Gated):
    def learning(self) -> Sequence[nn.Parameter]:
        return list(self.seed.parameters())


class DetachedGate(Gated):
    def values(self, x: Tensor) -> Tensor:
        return super().values(x).detach()


class ThreadLocal(Gated):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.cache = threading.local()


def cases() -> Iterator[Case]:
    yield sound(_gated(Gated))
    yield broken(_gated(SaysNothing), "missing")
    yield broken(_gated(MeanAlone), "missing")
    yield broken(_gated(MeanAloneAndUnlearned), "missing out-of-reach uncopyable")
    yield broken(_gated(KeepsTheGraph), "attached")
    yield broken(_gated(TellsTheLogits), "disagrees")
    yield broken(_gated(TellsTheFirst), "disagrees stale")
    yield broken(_gated(ConsumedByReading), "disturbs")
    yield broken(_gated(GateOutsideTheOptimiser), "out-of-reach")
    yield broken(_gated(DetachedGate), "dead")
    yield broken(_gated(ThreadLocal), "uncopyable")


def _gated(build: type[Gated]) -> ObservedGate:
    return ObservedGate(
        name=build.__name__,
        build=build,
        inputs=sequences,
        dims=(8,),
        statistics=lambda module: module.statistics(),
        gate=lambda module, x: module.values(x),
        gate_parameters=lambda module: list(module.gate.parameters()),
        learning=lambda module: module.learning(),
        promises=[promise("gate-observable")],
    )
