"""The corpus of the probe `fullgraph`."""

from __future__ import annotations

from collections.abc import Iterator

from subjects import breaking_modules, compiled_modules
from subjects.cases import Case, broken, sound
from torch import nn

from esper_audit.inputs import sequences
from esper_audit.subject import Module, promise


def cases() -> Iterator[Case]:
    for build in compiled_modules.SOUND:
        yield sound(_module(build))
    for build in breaking_modules.BREAKING:
        yield broken(_module(build), "break")
    yield broken(_module(breaking_modules.CountsInAnAttribute), "recompiles")
    yield broken(_module(breaking_modules.CountsItsModes), "recompiles")
    yield broken(_module(breaking_modules.AsksTheCompiler), "differs")


def _module(build: type[nn.Module]) -> Module:
    return Module(
        name=build.__name__,
        build=build,
        inputs=sequences,
        dims=(8,),
        promises=[promise("fullgraph")],
    )
