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


class SwitchesSilently(nn.Linear):
    """`module.eval()(x)` raises, since `train` returns nothing."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)


class RefusesToTrain(nn.Linear):
    def train(self, mode: bool = True) -> nn.Linear:
        if mode:
            raise RuntimeError("frozen")
        return super().train(mode)


def cases() -> Iterator[Case]:
    yield sound(_module("linear", lambda dim: nn.Linear(dim, dim)))
    silent = _module("switches-silently", lambda dim: SwitchesSilently(dim, dim))
    yield broken(silent, "mode-switch")
    refusing = _module("refuses-to-train", lambda dim: RefusesToTrain(dim, dim))
    yield broken(refusing, "mode-switch")
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
