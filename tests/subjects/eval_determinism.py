"""The corpus of the probe `eval-determinism`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from subjects.cases import Case, broken, inconclusive, sound
from torch import Tensor, nn
from torch.nn import functional as F

from esper_audit.subject import Module, PlainValue, promise, sequences


class Linear(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


class DropsOutAlways(Linear):
    """The flag `training` of the functional form is true by default."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(super().forward(x), 0.5)


class DrawsForNothing(Linear):
    """Draws noise in eval mode and multiplies it by zero."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.randn_like(x) * float(self.training)


class CountsCalls(Linear):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x)


class Remembers(Linear):
    last: Tensor | float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x) + self.last
        self.last = x.mean()
        return out


class MixesRows(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(dim=0))


class MovesItsOutput(CountsCalls):
    """Adds a buffer that counts calls: the state moves the output, and no random stream does."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.calls


class OverwritesItsInput(Linear):
    """A second call with the overwritten input gives the same output."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.relu_())


class Scan(Linear):
    """A sum over time of inputs (time, batch, width)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).cumsum(0)


class MixesTimeFirst(Scan):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(dim=1, keepdim=True))


class NormWithoutAverages(nn.Module):
    """Uses the statistics of the batch in eval mode, too."""

    def __init__(self, _dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class RoundsToSingle(Linear):
    """A product in single precision, where a row alone is summed in another order."""

    dtype = torch.float32

    def forward(self, x: Tensor) -> Tensor:
        weight = self.linear.weight.to(self.dtype)
        return (x.to(self.dtype) @ weight).to(x.dtype)


class RoundsToHalf(RoundsToSingle):
    dtype = torch.bfloat16


class MixesRowsInSingle(RoundsToSingle):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - 1e-3 * x.mean(dim=0))


class OnlySingle(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.linear(torch.arange(x.shape[-1]).float())


class FillsACache(Linear):
    """Stores a derived value in a non-persistent buffer."""

    persistent = False

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("mask", None, persistent=self.persistent)

    def forward(self, x: Tensor) -> Tensor:
        if self.mask is None or self.mask.shape[0] != x.shape[1]:
            self.register_buffer("mask", torch.ones(x.shape[1], 1), persistent=self.persistent)
        return super().forward(x) * self.mask


class SavesItsCache(FillsACache):
    persistent = True


def cases() -> Iterator[Case]:
    yield sound(_module("linear", Linear))
    yield sound(_module("dropout", lambda dim: nn.Sequential(nn.Linear(dim, dim), nn.Dropout(0.5))))
    yield sound(_module("batch-norm", lambda _dim: nn.BatchNorm1d(8)))
    yield sound(_module("mixing-on-purpose", MixesRows, rows_are_independent=False))
    yield sound(_module("rounds-to-single", RoundsToSingle))
    yield sound(_module("refuses-double", OnlySingle))
    yield sound(_module("fills-a-cache", FillsACache))
    yield broken(_module("saves-its-cache", SavesItsCache), "state")
    yield broken(_module("mixes-rows-in-single", MixesRowsInSingle), "rows")
    yield inconclusive(_module("rounds-to-half", RoundsToHalf), "rows-told")
    yield sound(_time_first("time-first", Scan))
    yield broken(_time_first("mixes-time-first", MixesTimeFirst), "rows")
    yield broken(_module("moves-its-output", MovesItsOutput), "remembers state")
    yield broken(_module("overwrites-its-input", OverwritesItsInput), "overwrites")
    yield broken(_module("drops-out-always", DropsOutAlways), "random stream")
    yield broken(_module("draws-for-nothing", DrawsForNothing), "stream")
    yield broken(_module("counts-calls", CountsCalls), "state")
    yield broken(_module("remembers", Remembers), "remembers")
    yield broken(_module("mixes-rows", MixesRows), "rows")
    yield broken(_module("norm-without-averages", NormWithoutAverages), "rows")


def _time_first(name: str, build: Callable[[int], nn.Module]) -> Module:
    return replace(_module(name, build), inputs=lambda draw: sequences(draw).transpose(0, 1))


def _module(name: str, build: Callable[[int], nn.Module], **parameters: PlainValue) -> Module:
    kept = promise("eval-determinism", **parameters)
    return Module(name=name, build=build, inputs=sequences, dims=(8,), promises=[kept])
