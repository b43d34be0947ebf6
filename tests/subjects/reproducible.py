"""The corpus of the probe `reproducible`."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import numpy as np
from subjects.cases import Case, broken, sound
from torch import Tensor, nn

from esper_audit.subject import Module, promise, sequences

COUNTER = itertools.count()
SYSTEM = random.SystemRandom()


class Scaled(nn.Module):
    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def cases() -> Iterator[Case]:
    yield sound(_module("linear", lambda dim: nn.Linear(dim, dim)))
    yield sound(_module("dropout", lambda _dim: nn.Dropout(0.5)))
    yield sound(_module("python-random", lambda _dim: Scaled(random.random())))
    yield sound(_module("numpy-random", lambda _dim: Scaled(float(np.random.rand()))))
    yield broken(_module("system-random", lambda _dim: Scaled(SYSTEM.random())), "differs")
    yield broken(_module("counter", lambda _dim: Scaled(next(COUNTER))), "differs")


def _module(name: str, build: object) -> Module:
    return Module(
        name=name,
        build=build,  # type: ignore[arg-type]
        inputs=sequences,
        dims=(8,),
        promises=[promise("reproducible")],
    )
