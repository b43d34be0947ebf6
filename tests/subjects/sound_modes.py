"""Modules whose mode switches work, and modules that break them."""

from __future__ import annotations

from collections.abc import Iterator

from support.recipes import discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, sound


class Plain(nn.Module):
    """Children in containers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 8), nn.Dropout())

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Counts(Plain):
    """A switch that does more, calls its base and returns the module."""

    def train(self, mode: bool = True) -> Counts:
        self.switches = 1
        return super().train(mode)


class ReturnsNone(Plain):
    """A switch without a return."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]  # that is the defect
        super().train(mode)


class Misses(Plain):
    """A switch that sets its own flag alone."""

    def train(self, mode: bool = True) -> Misses:
        self.training = mode
        return self


class Shadows(Plain):
    """A flag with the name of a method."""

    def __init__(self) -> None:
        super().__init__()
        self.train = True  # type: ignore[assignment,method-assign]  # that is the defect


class Raises(Plain):
    """A switch that reads what is not there."""

    def train(self, mode: bool = True) -> Raises:
        self.backbone.train(mode)
        return self


class KeepsNormInEval(Plain):
    """The dropout is frozen: it stays in eval mode."""

    def train(self, mode: bool = True) -> KeepsNormInEval:
        super().train(mode)
        self.net[1].eval()
        return self


class StopsDropout(Plain):
    """A switch that sets a part to eval mode."""

    def train(self, mode: bool = True) -> StopsDropout:
        super().train(mode)
        if mode:
            self.net[1].eval()
        return self


class Forgets(Plain):
    """A switch whose `eval()` leaves out a child."""

    def train(self, mode: bool = True) -> Forgets:
        self.training = mode
        for child in self.net[:1]:
            child.train(mode)
        self.net.training = mode
        return self


def cases() -> Iterator[Case]:
    yield sound(discovered(Plain))
    yield sound(discovered(Counts))
    yield broken(discovered(ReturnsNone), "returns")
    yield broken(discovered(Misses), "misses")
    yield broken(discovered(Shadows), "shadowed")
    yield broken(discovered(Raises), "raises")
    yield by_design(discovered(KeepsNormInEval), "misses")
    yield by_design(discovered(StopsDropout), "misses")
    yield broken(discovered(Forgets), "misses")
