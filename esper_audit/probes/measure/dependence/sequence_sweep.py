"""A sweep over sequences: its settings, its positions, and its controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.dependence.output_dependency import (
    SequenceFunction,
    live_parameters,
)
from esper_audit.probes.measure.execution.precision import Precision
from esper_audit.probes.measure.readings import Reading
from esper_audit.probes.subject.subject import Draw


@dataclass(frozen=True)
class SweepSetting:
    """One setting of the sweep: draw of the parameters, mode, length and precision."""

    draw: int
    mode: str
    length: int
    precision: Precision

    def draw_for(self, dim: int, seed: int) -> Draw:
        """Return the draw of its inputs, in the precision of the module."""
        return Draw(dim, length=self.length, seed=seed, dtype=self.precision.dtype)

    @property
    def witness(self) -> dict[str, Plain]:
        """The setting as the witness of a record."""
        return {
            "draw": self.draw,
            "mode": self.mode,
            "length": self.length,
            "dtype": self.precision.name,
        }


@dataclass
class SweepResult:
    """The state of the controls after the whole sweep."""

    trainable: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)
    inputs_matter: bool = False
    prefixes: int = 0

    def look_for_live_parameters(self, function: SequenceFunction, sequence: Tensor) -> None:
        """Measure which parameters have an effect, unless all of them have had one already."""
        if self.trainable - self.live:
            self.live |= live_parameters(function, sequence)

    def readings(self) -> Iterator[Reading]:
        """Yield the readings of the controls."""
        dead = self.trainable - self.live
        yield Reading("input-alive", float(self.inputs_matter))
        yield Reading("parameters-dead", float(len(dead)), {"first": min(dead, default="none")})
        yield Reading("prefixes", float(self.prefixes))


def boundary_positions(length: int) -> list[int]:
    """Return the ends, the middle and two random positions, so that not all align with chunks."""
    drawn = torch.randint(0, length - 1, (2,), generator=torch.Generator().manual_seed(length))
    return sorted({0, length // 2, length - 2, *drawn.tolist()})
