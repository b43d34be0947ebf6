"""A sweep over sequences: one setting of it, the positions at which it looks, and what it has seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from esper_audit.precision import Precision
from esper_audit.subject import Draw
from esper_audit.verdict import Plain


@dataclass(frozen=True)
class Glance:
    """One setting of the sweep."""

    draw: int
    mode: str
    length: int
    precision: Precision

    def drawn(self, dim: int, seed: int) -> Draw:
        """Return what is drawn for it, as finely as the module computes."""
        return Draw(dim, length=self.length, seed=seed, dtype=self.precision.dtype)

    @property
    def witness(self) -> dict[str, Plain]:
        """The setting, for a record."""
        return {
            "draw": self.draw,
            "mode": self.mode,
            "length": self.length,
            "dtype": self.precision.name,
        }


@dataclass
class Seen:
    """What the controls ask of the whole sweep."""

    trainable: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)
    inputs_matter: bool = False
    prefixes: int = 0


def positions(length: int) -> list[int]:
    """Return the boundaries: the ends, the middle, and two at random, for chunks align with some."""
    drawn = torch.randint(0, length - 1, (2,), generator=torch.Generator().manual_seed(length))
    return sorted({0, length // 2, length - 2, *drawn.tolist()})
