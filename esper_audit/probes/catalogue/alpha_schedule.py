"""The probe `alpha-schedule`: a ramp stays in [0, 1], is monotone, and ends exactly at its target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any, ClassVar

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.readings import Limit, Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import Schedule

LENGTHS = (0, 1, 2, 3, 10, 50)
# Up, partly down, unchanged, up from the middle, to the bottom: each starts where the last ended.
TARGETS = (1.0, 0.3, 0.3, 0.9, 0.0)
INVALID_TARGETS = (math.nan, -0.1, 1.1, math.inf)
DOUBLE_ROUNDING = 1e-12


class AlphaSchedule(Probe[Schedule]):
    """A ramp stays in [0, 1], is monotone, and ends exactly at its target.

    What: the probe runs every curve over ramps of 0 to 50 steps, up, down, from the middle and to the
    current value. At every step alpha lies in [0, 1], between start and target, and does not move away from
    the target. After the requested number of steps it equals the target exactly and stays there. A ramp of
    zero steps ends at once. A target outside [0, 1] is refused. A controller that is saved and loaded at any
    step continues with the same values.

    Why: a clamp turns NaN into full blend. A ramp that ends next to 1 never opens the gate that requires 1.
    A controller that loses its start value jumps when a run is resumed.

    Quiet: the shape and the steepness of the curve are free. `save` and `load` need not be declared.

    Tickets: real code
    """

    contract = "alpha-schedule"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P1
    takes = Schedule
    limits: ClassVar[Limits] = {
        "out-of-bounds": must_be_zero("alpha left [0, 1]"),
        "accepts-nonsense": must_be_zero("a target outside [0, 1] was accepted"),
        "overshoot": must_be_zero("alpha left the interval between its start and its target"),
        "turns-back": must_be_zero("alpha moved away from its target"),
        "end": must_be_zero("after the last step alpha differs from the target"),
        "restless": must_be_zero("alpha moves after the last step"),
        "round-trip": Limit(
            "at most", DOUBLE_ROUNDING, "a loaded controller continues with other values"
        ),
    }

    def measure(self, subject: Schedule, state: str) -> Iterator[Reading]:
        """Run every curve, length and target."""
        for target in INVALID_TARGETS:
            yield _refused(subject, subject.at(state), target)
        for (curve, value), steps in product(subject.curves.items(), LENGTHS):
            built = subject.at(state)
            for target in TARGETS:
                witness: dict[str, Plain] = {"curve": curve, "steps": steps, "target": target}
                start = subject.value(built)
                subject.retarget(built, target, steps, value)
                values, resumed = [subject.value(built)], list[list[float]]()
                for step in range(steps):
                    resumed.append(_resumed(subject, built, steps - step))
                    subject.step(built)
                    values.append(subject.value(built))
                gaps = [
                    abs(a - b) for c in resumed for a, b in zip(c[::-1], values[::-1], strict=False)
                ]
                yield Reading("round-trip", max(gaps, default=0.0), witness)
                yield from _ramp_readings(start, target, values, witness)
                subject.step(built)
                rest = abs(subject.value(built) - values[-1])
                yield Reading("restless", rest, witness)


def _ramp_readings(
    start: float, target: float, values: list[float], witness: dict[str, Plain]
) -> Iterator[Reading]:
    """Yield the readings of one ramp.

    `values` start with the one before the first step.
    """
    outside = max(max(0.0, -alpha, alpha - 1.0) for alpha in values)
    if any(math.isnan(alpha) for alpha in values):
        outside = math.nan
    yield Reading("out-of-bounds", outside, witness)
    low, high = sorted((start, target))
    yield Reading("overshoot", max(max(0.0, low - a, a - high) for a in values), witness)
    distances = [abs(target - alpha) for alpha in (start, *values)]
    away = max((b - a for a, b in pairwise(distances)), default=0.0)
    yield Reading("turns-back", max(0.0, away), witness)
    yield Reading("end", distances[-1], witness)


def _resumed(subject: Schedule, built: Any, remaining: int) -> list[float]:
    """Return the remaining values of a saved and loaded controller, none if it cannot be saved."""
    if subject.save is None or subject.load is None:
        return []
    loaded, values = subject.load(subject.save(built)), []
    for _ in range(remaining):
        subject.step(loaded)
        values.append(subject.value(loaded))
    return values


def _refused(subject: Schedule, built: Any, target: float) -> Reading:
    """Return the reading 1 if an invalid target was accepted."""
    try:
        subject.retarget(built, target, 2, next(iter(subject.curves.values())))
    # A subject may refuse a target by any error.
    except FAILURES:
        return Reading("accepts-nonsense", 0.0, {"target": f"{target}"})
    return Reading("accepts-nonsense", 1.0, {"target": f"{target}"})
