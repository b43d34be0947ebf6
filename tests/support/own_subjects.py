"""A subjects file with one sound module, one that leaks and one that cannot be built."""

from __future__ import annotations

from subjects.causal_modules import Attention
from subjects.leaking_modules import Unmasked

from esper_audit.subject import Module, promise, sequences


def subjects() -> list[Module]:
    return [
        _module("sound", Attention),
        _module("leaking", Unmasked),
        _module("raising", raising),
    ]


def raising(_dim: int) -> Attention:
    raise LookupError("no such blueprint")


def nothing() -> list[Module]:
    return []


def _module(name: str, build: object) -> Module:
    return Module(
        name=name,
        build=build,  # type: ignore[arg-type]
        inputs=sequences,
        dims=(8,),
        promises=[promise("causality", lengths=(8,))],
    )
