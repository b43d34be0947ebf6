"""The corpus of the probe `segment-routing`."""

from __future__ import annotations

from collections.abc import Iterator

from subjects.cases import Case, broken, sound
from torch import Tensor, nn

from esper_audit.subject import Host, promise, sequences


class Tower(nn.Module):
    """Three layers with a slot after each, and dropout so that the random stream matters."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Dropout(0.2)) for _ in range(3)
        )
        self.head = nn.Linear(dim, dim)

    def slots(self) -> list[str]:
        return ["a", "b", "c"]

    def end(self, slot: str) -> int:
        return self.slots().index(slot) + 1

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.through(x, 0, 3))

    def through(self, x: Tensor, start: int, stop: int) -> Tensor:
        for layer in self.layers[start:stop]:
            x = layer(x)
        return x

    def to_segment(self, slot: str, x: Tensor, from_slot: str | None) -> Tensor:
        start, stop = 0 if from_slot is None else self.end(from_slot), self.end(slot)
        if start > stop:
            raise ValueError(f"{slot} lies before {from_slot}")
        return self.through(x, start, stop)

    def from_segment(self, slot: str, x: Tensor) -> Tensor:
        return self.head(self.through(x, self.end(slot), 3))


class GoesBackwards(Tower):
    """An empty range of layers returns the features unchanged."""

    def to_segment(self, slot: str, x: Tensor, from_slot: str | None) -> Tensor:
        return self.through(x, 0 if from_slot is None else self.end(from_slot), self.end(slot))


class SkipsTheHead(Tower):
    def from_segment(self, slot: str, x: Tensor) -> Tensor:
        return self.through(x, self.end(slot), 3)


class RunsALayerTwice(Tower):
    def from_segment(self, slot: str, x: Tensor) -> Tensor:
        return self.head(self.through(x, min(2, self.end(slot)), 3))


class ForgetsWhereItIs(Tower):
    """Starts from the input at every slot."""

    def to_segment(self, slot: str, x: Tensor, from_slot: str | None) -> Tensor:
        if from_slot is not None and self.end(from_slot) > self.end(slot):
            raise ValueError(f"{slot} lies before {from_slot}")
        return self.through(x, 0, self.end(slot))


class DefaultsToTheEnd(Tower):
    def end(self, slot: str) -> int:
        return {"a": 1, "b": 2}.get(slot, 3)


class WithoutSlots(Tower):
    def slots(self) -> list[str]:
        return []


def cases() -> Iterator[Case]:
    yield sound(_host(Tower))
    yield broken(_host(GoesBackwards), "backwards")
    yield broken(_host(SkipsTheHead), "composition two-slots")
    yield broken(_host(RunsALayerTwice), "composition two-slots")
    yield broken(_host(ForgetsWhereItIs), "two-slots")
    yield broken(_host(DefaultsToTheEnd), "unknown")
    yield broken(_host(WithoutSlots), "no-slots")


def _host(build: type[Tower]) -> Host:
    return Host(
        name=build.__name__,
        build=build,
        inputs=sequences,
        dims=(8,),
        slots=lambda host: host.slots(),
        to_segment=lambda host, slot, x, start: host.to_segment(slot, x, start),
        from_segment=lambda host, slot, x: host.from_segment(slot, x),
        promises=[promise("segment-routing")],
    )
