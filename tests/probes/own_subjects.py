"""A subjects file as a project would write it: one sound module, one that leaks, one that is known to."""

from __future__ import annotations

from subjects.causal_modules import Attention
from subjects.leaking_modules import Unmasked

from esper_audit.inputs import sequences
from esper_audit.subject import ExpectedFailure, Module, promise


def subjects() -> list[Module]:
    known = ExpectedFailure("altered", "bidirectional on purpose")
    wrong = ExpectedFailure("prefix", "the code is not the one that speaks")
    return [
        _module("sound", Attention),
        _module("leaking", Unmasked),
        _module("known", Unmasked, known),
        _module("known-for-another-reason", Unmasked, wrong),
        _module("repaired", Attention, known),
        _module("raising", raising),
    ]


def raising(_dim: int) -> Attention:
    raise LookupError("no such blueprint")


def nothing() -> list[Module]:
    return []


def _module(name: str, build: object, expected: ExpectedFailure | None = None) -> Module:
    return Module(
        name=name,
        build=build,  # type: ignore[arg-type]
        inputs=sequences,
        dims=(8,),
        promises=[promise("causality", lengths=(8,), expected=expected)],
    )
