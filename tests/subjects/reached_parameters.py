"""Modules whose parameters all get a gradient, and modules that leave some out."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from support.recipes import IDS, discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, inconclusive, sound


class Learning(nn.Module):
    """Every parameter takes part; one is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.scale = nn.Linear(8, 8), nn.Parameter(torch.ones(8))
        self.fixed = nn.Parameter(torch.ones(8), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * self.scale + self.fixed


class ZeroGate(nn.Module):
    """A gate that is zero at birth: the branch behind it gets zeros, which are gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.branch, self.gate = nn.Linear(8, 8), nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gate * self.branch(x)


class Forgotten(nn.Module):
    """A layer that forward does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.first(self.first(x))


class Detached(nn.Module):
    """A scale that is detached before it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.scale = nn.Linear(8, 8), nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * self.scale.detach()


class ByArgmax(nn.Module):
    """A router whose choice passes no gradient, in a dictionary of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.table = nn.Linear(8, 4), nn.Embedding(4, 8)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"choice": self.table(self.router(x).argmax(-1))}


class OnlyByMask(nn.Module):
    """A token that only an optional argument brings in."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.blank = nn.Linear(8, 8), nn.Parameter(torch.zeros(8))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.net(x if mask is None else torch.where(mask[..., None], self.blank, x))


class OtherMethod(nn.Module):
    """A head that another method uses."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.head = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def classify(self, x: Tensor) -> Tensor:
        return self.head(self.net(x))


class WithTeacher(nn.Module):
    """A teacher beside the student."""

    def __init__(self) -> None:
        super().__init__()
        self.student, self.teacher = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            goal = self.teacher(x)
        return self.student(x) - goal


class Counting(nn.Module):
    """Integers only: nothing to learn by them."""

    def forward(self, ids: Tensor) -> Tensor:
        return ids.sum(-1)


def cases() -> Iterator[Case]:
    yield sound(discovered(Learning))
    yield sound(discovered(ZeroGate))
    yield broken(discovered(Forgotten), "unreached")
    yield broken(discovered(Detached), "unreached")
    yield broken(discovered(ByArgmax), "unreached")
    yield by_design(discovered(OnlyByMask), "unreached")
    yield by_design(discovered(OtherMethod), "unreached")
    yield by_design(discovered(WithTeacher), "unreached")
    yield inconclusive(discovered(Counting, IDS), "")
