"""Modules that count their parameters right, and modules that do not."""

from __future__ import annotations

from collections.abc import Iterator

from support.recipes import IDS, discovered
from torch import Tensor, nn

from .cases import Case, broken, inconclusive, sound


class Counts(nn.Module):
    """Counts all parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def num_parameters(self) -> int:
        return sum(p.numel() for p in self.parameters())


class WithoutEmbedding(nn.Module):
    """Leaves the embedding out, as is usual for language models."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.net = nn.Embedding(10, 8), nn.Linear(8, 8)

    def forward(self, ids: Tensor) -> Tensor:
        return self.net(self.embed(ids))

    def get_num_params(self) -> int:
        return sum(p.numel() for p in self.net.parameters())


class LacksBias(Counts):
    """Forgets the bias."""

    def num_parameters(self) -> int:
        return self.net.weight.numel()


class AsProperty(Counts):
    """A property that counts tensors instead of numbers."""

    @property
    def n_params(self) -> int:
        return len(list(self.parameters()))


class Claimless(nn.Module):
    """Claims nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2


def cases() -> Iterator[Case]:
    yield sound(discovered(Counts))
    yield sound(discovered(WithoutEmbedding, IDS))
    yield broken(discovered(LacksBias), "count")
    yield broken(discovered(AsProperty), "count")
    yield inconclusive(discovered(Claimless), "")
