"""The corpus of the probe `build`."""

from __future__ import annotations

from collections.abc import Iterator

from subjects.cases import Case, broken, sound
from torch import nn

from esper_audit.subject import Module, Subject, promise, sequences

INSTANCE = nn.Linear(8, 8)


def cases() -> Iterator[Case]:
    yield sound(_module("factory", lambda dim: nn.Linear(dim, dim)))
    yield sound(Subject(name="function", build=lambda: max, promises=[promise("build")]))
    yield broken(_module("instance", lambda _dim: INSTANCE), "shared-tensors")
    yield broken(_module("missing-argument", nn.Linear), "raises")
    unreachable = {"trained": lambda module: module.no_such_method()}
    yield broken(_module("unreachable-state", nn.Tanh, unreachable), "raises")


def _module(name: str, build: object, states: dict[str, object] | None = None) -> Module:
    declared = {"birth": lambda _module: None} if states is None else states
    return Module(
        name=name,
        build=build,  # type: ignore[arg-type]  # some of them are not what they should be
        states=declared,  # type: ignore[arg-type]
        inputs=sequences,
        dims=(8,),
        promises=[promise("build")],
    )
