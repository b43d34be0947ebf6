"""Modules that evaluate deterministically, and modules that draw, move or remember in evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from support.recipes import SEQUENCES, discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, sound


class DropoutByMode(nn.Module):
    """Dropout that stops in evaluation, and batch statistics that stay then."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(8), nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.norm(x))


class CachedTable(nn.Module):
    """A table of positions that is made in the first call, and again for a longer input."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.table is None or self.table.shape[0] < x.shape[1]:
            self.table = torch.arange(x.shape[1], dtype=x.dtype)
        return x + self.table[: x.shape[1], None]


class DrawsUnused(nn.Module):
    """Draws numbers that it does not use: the stream moves, the output does not."""

    def forward(self, x: Tensor) -> Tensor:
        torch.rand(1)
        return x * 2


class AlwaysDrops(nn.Module):
    """Functional dropout without `training`."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5)


class DropsInDictionary(nn.Module):
    """The random output is one of two in a dictionary."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"sound": x, "random": F.dropout(x, 0.5)}


class MovingMean(nn.Module):
    """A running mean that evaluation moves, but no output depends on it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        self.mean.lerp_(x.mean(0), 0.1)
        return x * 2


class MovingAttribute(nn.Module):
    """A plain tensor attribute that counts calls and changes the output."""

    def __init__(self) -> None:
        super().__init__()
        self.step = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        self.step = self.step + 1
        return x * self.step


class KeepsState(nn.Module):
    """Hands the hidden state of a call to the next, in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.hidden = nn.RNN(8, 8, batch_first=True), [torch.zeros(1, 2, 8)]

    def forward(self, x: Tensor) -> Tensor:
        output, self.hidden[0] = self.cell(x, self.hidden[0])
        return output


class GaussianNoise(nn.Module):
    """Adds noise, as its name says."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


class Perplexed(nn.Module):
    """Adds what it draws, by a call."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class Streams(KeepsState):
    """Hands the hidden state to the next call, until it is reset."""

    def reset_state(self) -> None:
        self.hidden[0] = torch.zeros(1, 2, 8)


class Initialised(MovingAttribute):
    """Resets its parameters, and not the count of its calls."""

    def reset_parameters(self) -> None:
        pass


class NoisyGate(nn.Module):
    """Scores with noise, which in training balances what is chosen."""

    def forward(self, x: Tensor) -> Tensor:
        return (x + torch.randn_like(x)).softmax(-1)


class NoisyTokens(nn.Module):
    """Adds noise in training, and at inference where a sample is asked for."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


class Normalised(nn.Module):
    """Normalises its weight in each call, which changes the last bits."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.layer.weight.data
        self.layer.weight.data = weight / weight.norm(dim=1, keepdim=True)
        return self.layer(x)


class HistogramLoss(nn.Module):
    """Keeps a mean of earlier batches by an option."""

    def __init__(self, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.seen = torch.zeros(8)

    def forward(self, x: Tensor) -> Tensor:
        self.seen = (1 - self.momentum) * self.seen + self.momentum * x.mean(0).detach()
        return (x - self.seen).square().mean()


class Histogram(HistogramLoss):
    """The same, and no loss by its name."""


class Covariances(nn.Module):
    """Keeps a covariance of earlier batches, unless a call says not to."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(8))

    def forward(self, x: Tensor, *, update_seen: bool = True) -> Tensor:
        if update_seen:
            self.seen += x.mean(0).detach()
        return x - self.seen


class Sliced(nn.Module):
    """Compares slices. Each call draws fresh random directions."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ direction(x)


def direction(x: Tensor) -> Tensor:
    return torch.randn(x.shape[-1])


class OwnStream(nn.Module):
    """Shifts its input by what a stream of its own draws next."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.stream = np.random.default_rng(seed)

    def forward(self, x: Tensor) -> Tensor:
        return x + float(self.stream.normal())


class CutMix(nn.Module):
    """Puts a part of other pictures into each."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * x[torch.randperm(len(x))]


def cases() -> Iterator[Case]:
    yield sound(discovered(DropoutByMode))
    yield sound(discovered(CachedTable, SEQUENCES))
    yield sound(discovered(DrawsUnused))
    yield broken(discovered(AlwaysDrops), "random")
    yield broken(discovered(DropsInDictionary), "random")
    yield broken(discovered(MovingMean), "state")
    yield broken(discovered(MovingAttribute), "state")
    yield broken(discovered(KeepsState, SEQUENCES), "remembers")
    yield broken(discovered(Initialised), "state")
    yield by_design(discovered(Streams, SEQUENCES), "remembers")
    yield by_design(discovered(GaussianNoise), "random")
    yield by_design(discovered(Perplexed), "random")
    yield broken(discovered(NoisyGate), "random")
    yield by_design(discovered(NoisyTokens), "random")
    yield sound(discovered(Normalised))
    yield by_design(discovered(HistogramLoss), "state")
    yield broken(discovered(Histogram), "state")
    yield by_design(discovered(Covariances), "state")
    yield by_design(discovered(Sliced), "random")
    yield by_design(discovered(OwnStream), "remembers")
    yield by_design(discovered(CutMix), "random")
