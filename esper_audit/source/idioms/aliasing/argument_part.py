"""What the names of a function may share storage with, at one point of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

WHOLE, SLICE, ITEM = "whole", "slice", "item"


class ArgumentPart(NamedTuple):
    """What of a parameter a value may share: all of it, a slice (a copy if it is a list), or an item."""

    parameter: str
    part: str = WHOLE


Origins = frozenset[ArgumentPart]
Environment = dict[str, Origins]
NONE: Origins = frozenset()


def part_of(origins: Origins, part: str) -> Origins:
    """Return what an item or a slice of a value may share."""
    return frozenset(
        ArgumentPart(o.parameter, ITEM if ITEM in (o.part, part) else part) for o in origins
    )


def joined_environments(environments: Iterable[Environment | None]) -> Environment | None:
    """Return the union of what the names share at the ends of several paths."""
    joined: Environment | None = None
    for environment in environments:
        if environment is None:
            continue
        joined = joined or {}
        for name, origins in environment.items():
            joined[name] = joined.get(name, NONE) | origins
    return joined
