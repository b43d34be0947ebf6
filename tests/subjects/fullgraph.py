"""The corpus of the probe `fullgraph`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from subjects import breaking_modules, compiled_modules
from subjects.cases import Case, broken, sound
from torch import nn

from esper_audit.subject import Module, as_born, promise, sequences


def cases() -> Iterator[Case]:
    for build in compiled_modules.SOUND:
        yield sound(_module(build))
    for build in breaking_modules.BREAKING:
        yield broken(_module(build), "break")
    yield broken(_module(breaking_modules.CountsInAnAttribute), "recompiles")
    yield broken(_module(breaking_modules.CountsItsModes), "recompiles")
    yield broken(_module(breaking_modules.AsksTheCompiler), "differs")
    buffer, attribute = compiled_modules.AlphaInABuffer, breaking_modules.AlphaInAnAttribute
    yield sound(_module(buffer, buffer.turn))
    yield broken(_module(attribute, attribute.turn), "recompiles")


def _module(build: type[nn.Module], advance: Callable[[Any], object] = as_born) -> Module:
    return Module(
        name=build.__name__,
        build=build,
        inputs=sequences,
        dims=(8,),
        advance=advance,
        promises=[promise("fullgraph")],
    )
