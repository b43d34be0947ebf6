"""The corpus of the probe `ema-bias`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from subjects.cases import Case, broken, sound
from torch import Tensor

from esper_audit.subject import Average, PlainValue, promise

BETA = 0.9


class Corrected:
    """avg / (1 - beta^n)."""

    def __init__(self) -> None:
        self.average, self.samples = 0.0, 0

    def update(self, x: float) -> None:
        self.samples += 1
        self.average = BETA * self.average + (1.0 - BETA) * x

    def value(self) -> float | Tensor:
        return self.average / (1.0 - BETA**self.samples)


class StartsFromTheFirst(Corrected):
    def update(self, x: float) -> None:
        self.average = x if self.samples == 0 else BETA * self.average + (1.0 - BETA) * x
        self.samples += 1

    def value(self) -> float:
        return self.average


class SinglePrecision(Corrected):
    def value(self) -> Tensor:
        return torch.tensor(super().value())


class Uncorrected(Corrected):
    def value(self) -> float:
        return self.average


class CountsFromZero(Corrected):
    """The correction lags one sample behind."""

    def value(self) -> float:
        return self.average / (1.0 - BETA ** max(1, self.samples - 1))


class StopsCorrecting(Corrected):
    """Drops the correction after ten samples, when it is still 35 %."""

    def value(self) -> float | Tensor:
        return super().value() if self.samples <= 10 else self.average


class KeepsTheFirst(Corrected):
    def update(self, x: float) -> None:
        self.average = self.average or x

    def value(self) -> float:
        return self.average


class CorrectsTwice(StartsFromTheFirst):
    """Starts from the first sample and applies the correction as well."""

    def value(self) -> float:
        return self.average / (1.0 - BETA**self.samples)


class Extrapolates(StartsFromTheFirst):
    """Adds the trend, and overshoots after a jump."""

    trend = 0.0

    def update(self, x: float) -> None:
        before = self.average
        super().update(x)
        self.trend = 0.0 if self.samples == 1 else 12.0 * (self.average - before)

    def value(self) -> float:
        return self.average + self.trend


class LeavesOutWhatIsNotFinite(Corrected):
    def update(self, x: float) -> None:
        if math.isfinite(x):
            super().update(x)

    def value(self) -> float:
        return self.average / (1.0 - BETA**self.samples) if self.samples else math.nan


class TakesNanForZero(Corrected):
    """Treats NaN as zero, which lowers the averages after it."""

    def update(self, x: float) -> None:
        super().update(x if math.isfinite(x) else 0.0)


class OfNorms(Corrected):
    """An average of the logarithm: a norm is positive."""

    def update(self, x: float) -> None:
        super().update(math.log(x))

    def value(self) -> float:
        return math.exp(self.average / (1.0 - BETA**self.samples))


class OfWeights(Corrected):
    """The weight of a teacher, which begins with the weight of the model."""

    beta, begin = 0.9999, 0.5

    def __init__(self) -> None:
        super().__init__()
        self.average = self.begin

    def update(self, x: float) -> None:
        self.average = self.beta * self.average + (1.0 - self.beta) * x

    def value(self) -> float:
        return self.average


class BeginsAtZero(OfWeights):
    begin = 0.0


class NeverMoves(OfWeights):
    beta = 1.0


class MovesAway(OfWeights):
    beta = 1.001


class SlowlyCorrected(Corrected):
    """A decay at which two hundred samples are few."""

    def update(self, x: float) -> None:
        self.samples += 1
        self.average = 0.999 * self.average + 0.001 * x

    def value(self) -> float:
        return self.average / (1.0 - 0.999**self.samples)


def cases() -> Iterator[Case]:
    yield sound(_average(LeavesOutWhatIsNotFinite, heals=True))
    yield broken(_average(Corrected, "never-heals", heals=True), "poisoned")
    yield broken(_average(TakesNanForZero, heals=True), "poisoned")
    yield sound(replace(_average(OfNorms), constants=(1e-3, 0.1, 7.0)))
    yield sound(replace(_average(OfWeights), start=0.5))
    yield broken(replace(_average(BeginsAtZero), start=0.5), "start jump")
    yield broken(replace(_average(NeverMoves), start=0.5), "stuck")
    yield broken(replace(_average(MovesAway), start=0.5), "jump stuck")
    for build in (Corrected, StartsFromTheFirst, SinglePrecision, SlowlyCorrected):
        yield sound(_average(build))
    for build in (Uncorrected, CountsFromZero, StopsCorrecting, CorrectsTwice):
        yield broken(_average(build), "bias")
    yield broken(_average(KeepsTheFirst), "stuck")
    yield broken(_average(Extrapolates), "jump")


def _average(build: type[Corrected], name: str = "", **parameters: PlainValue) -> Average:
    return Average(
        name=name or build.__name__,
        build=build,
        update=lambda average, sample: average.update(sample),
        value=lambda average: float(average.value()),
        promises=[promise("ema-bias", **parameters)],
    )
