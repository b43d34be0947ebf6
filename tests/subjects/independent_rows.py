"""Modules whose samples are independent, and modules that mix them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from support.recipes import (
    COMPLEX,
    IDS,
    NUMBERS,
    PAIRS,
    PICTURES,
    ROWS,
    SEQUENCES,
    discovered,
    recorded,
)
from torch import Tensor, nn

from .cases import Case, broken, by_design, inconclusive, sound


class Normed(nn.Module):
    """Layers that keep samples apart."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class TimeFirst(nn.Module):
    """A recurrent layer whose first axis is time."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(8, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        output, last = self.rnn(x)
        return output, last


class Centred(nn.Module):
    """Subtracts the mean over the first axis."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)


class SoftmaxOverRows(nn.Module):
    """Normalises over the first axis, behind a projection that is zero at birth."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(8, 1)
        nn.init.zeros_(self.score.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.score(x) * self.score(x).softmax(0)


class GlobalNorm(nn.Module):
    """Scales pictures by the norm of all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) / x.norm()


class InTuple(nn.Module):
    """The second output of two mixes the samples."""

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x / x.norm(), x]


class BatchStatistics(nn.Module):
    """Normalises by the statistics of the batch, as its name says."""

    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(0)) / (x.std(0) + 1)


class Neighbours(nn.Module):
    """Adds to each node the mean of all nodes that an edge reaches."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return x + x[edge_index % len(x)].mean((0, 1))


class Spread(nn.Module):
    """Gives the mean standard deviation over the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x.std(0).mean().expand(len(x), 1)], dim=1)


class Critic(nn.Module):
    """Scores rows by themselves and by their spread."""

    def __init__(self) -> None:
        super().__init__()
        self.spread = Spread()
        self.score = nn.Linear(9, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.spread(x))


class Constant(nn.Module):
    """Returns a number for the whole input: no axis follows."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.atleast_1d(x.sum())


class Counting(nn.Module):
    """Scales by the number of its calls, which makes rows no less independent."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


class Rotated(nn.Module):
    """Turns complex rows by a learned phase."""

    def __init__(self) -> None:
        super().__init__()
        self.phase = nn.Parameter(torch.rand(8))

    def forward(self, z: Tensor) -> Tensor:
        return z * torch.exp(1j * self.phase)


class RotatedTogether(Rotated):
    """Turns complex rows by a phase that all rows share."""

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z) * torch.exp(1j * z.mean(0).angle())


class Pooled(nn.Module):
    """Pools sequences (batch, time, width), each sample of the batch by its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.score, self.axis = nn.Linear(8, 1), 1

    def forward(self, x: Tensor) -> Tensor:
        return (self.score(x).softmax(self.axis) * x).sum(1)


class PooledOverRows(Pooled):
    """Pools sequences (batch, time, width) by weights that sum to one in another place, parametric as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.axis = 0


class Whitened(nn.Module):
    """Centres rows by batch statistics."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


class Weighted(nn.Module):
    """Scales rows by numbers of which each is for all."""

    def forward(self, x: Tensor, weights: list[float]) -> Tensor:
        return x * weights[0] + x.relu() * weights[1]


class WeightedByTensor(Weighted):
    """Scales rows by a tensor of which two rows are for all."""

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:  # type: ignore[override]  # a tensor
        return x * weights[0] + x.relu() * weights[1]


class RowIndexer(nn.Module):
    """Returns rows by their numbers."""

    def forward(self, x: Tensor, chosen: Tensor) -> Tensor:
        return x[chosen[:, 0] % len(x)]


class Accumulated(nn.Module):
    """Adds up over the steps, which are the first axis of an input of any rank."""

    def __init__(self, *, batch_first: bool = False) -> None:
        super().__init__()
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(0).sum(1)


class AccumulatedOverRows(Accumulated):
    """Adds up over the first axis, which is the batch by its option."""

    def __init__(self) -> None:
        super().__init__(batch_first=True)


class OfGraphs(nn.Module):
    """Takes the mean off the nodes of each graph."""

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        return x - x.mean(0) if batch is None else x - x[batch == batch[0]].mean(0)


class TakesOff(nn.Module):
    """Takes the mean off all rows."""

    def forward(self, batch: Tensor) -> Tensor:
        return batch - batch.mean(0)


class Rotary(nn.Module):
    """Takes cosines and sines as the two rows of its second argument."""

    def forward(self, x: Tensor, encoding: Tensor) -> Tensor:
        return x * encoding[0] + x.flip(-1) * encoding[1]


class MixedByTwo(nn.Module):
    """Takes the mean off both arguments."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x - x.mean(0) + y - y.mean(0)


class Integral(nn.Module):
    """Sums along axes that are an option, here all of a picture."""

    def __init__(self, dims: tuple[int, ...] = (-2, -1)) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        for dim in self.dims:
            x = x.cumsum(dim)
        return x


class ChannelAttention(nn.Module):
    """Weighs the channels of pictures, and takes a batch of sequences for one picture."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.pool(x).flatten(-3).softmax(-1)
        return x * weights.view(*weights.shape, 1, 1)


class AcrossPictures(ChannelAttention):
    """Centres the pictures of a batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) - x.mean(0)


class States(nn.Module):
    """Takes a batch of rows for one sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.rnn(x)[0]
        return out


class OwnConv2d(nn.Conv2d):
    """A convolution of a class of its own."""


class OfOnePicture(nn.Module):
    """Takes rows of a batch for those of one picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = OwnConv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x[None])
        return out[0]


class ChannelScale(nn.Module):
    """Scales the channels of pictures by the root of their mean square, and gives rows further axes."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x / x.square().mean((-2, -1), keepdim=True).sqrt()


def cases() -> Iterator[Case]:
    yield sound(discovered(Normed))
    yield inconclusive(discovered(Accumulated, PICTURES), "")
    yield broken(discovered(AccumulatedOverRows, PICTURES), "rows")
    yield broken(discovered(Centred), "rows")
    yield broken(discovered(SoftmaxOverRows), "rows")
    yield broken(discovered(GlobalNorm, PICTURES), "rows")
    yield broken(discovered(InTuple), "rows")
    yield sound(discovered(Rotated, COMPLEX))
    yield broken(discovered(RotatedTogether, COMPLEX), "rows")
    yield by_design(discovered(BatchStatistics), "rows")
    yield by_design(discovered(Neighbours, ROWS, IDS), "rows")
    yield by_design(discovered(Critic), "rows")
    yield inconclusive(discovered(TimeFirst, SEQUENCES), "")
    yield inconclusive(discovered(Counting), "")
    yield inconclusive(discovered(Constant), "")
    yield sound(discovered(Pooled, SEQUENCES))
    yield broken(discovered(PooledOverRows, SEQUENCES), "rows")
    yield by_design(discovered(Whitened), "rows")
    yield inconclusive(discovered(Weighted, ROWS, ROWS), "")
    yield inconclusive(discovered(WeightedByTensor, ROWS, ROWS), "")
    yield broken(recorded(WeightedByTensor, ROWS, ROWS), "rows")
    yield inconclusive(recorded(Weighted, ROWS, ROWS), "")
    yield by_design(discovered(RowIndexer, ROWS, NUMBERS), "rows")
    yield by_design(discovered(OfGraphs), "rows")
    yield broken(discovered(TakesOff), "rows")
    yield inconclusive(discovered(Rotary, PAIRS, PAIRS), "")
    yield broken(discovered(MixedByTwo, ROWS, ROWS), "rows")
    yield by_design(discovered(Integral), "rows")
    yield sound(discovered(Integral, SEQUENCES))
    yield inconclusive(discovered(ChannelAttention, SEQUENCES), "")
    yield sound(discovered(ChannelAttention, PICTURES))
    yield broken(discovered(AcrossPictures, PICTURES), "rows")
    yield inconclusive(discovered(States), "")
    yield sound(discovered(States, SEQUENCES))
    yield inconclusive(discovered(OfOnePicture), "")
    yield inconclusive(discovered(ChannelScale), "")
    yield sound(discovered(ChannelScale, PICTURES))
