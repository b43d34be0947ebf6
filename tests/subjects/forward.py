"""The corpus of the probe `forward`."""

from __future__ import annotations

from collections.abc import Iterator

from subjects.cases import Case, broken, sound
from torch import Tensor, nn

from esper_audit.subject import Module, promise, sequences


class Logarithm(nn.Module):
    """Returns NaN for negative features."""

    def forward(self, x: Tensor) -> Tensor:
        return x.log()


def cases() -> Iterator[Case]:
    yield sound(_module("linear", lambda dim: nn.Linear(dim, dim)))
    yield broken(_module("wrong-width", lambda dim: nn.Linear(dim + 1, dim)), "raises")
    yield broken(_module("tuple", lambda dim: nn.LSTM(dim, dim)), "no-tensor")
    yield broken(_module("logarithm", lambda _dim: Logarithm()), "not-finite")


def _module(name: str, build: object) -> Module:
    return Module(
        name=name,
        build=build,  # type: ignore[arg-type]
        inputs=sequences,
        dims=(8,),
        promises=[promise("forward")],
    )
