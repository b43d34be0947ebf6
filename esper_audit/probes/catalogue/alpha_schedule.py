"""The probe `alpha-schedule`: a ramp stays in [0, 1], goes one way, and ends exactly where it was told to."""

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
# Up, part of the way down, nowhere, up from the middle, to the bottom: each from where the last ended.
TARGETS = (1.0, 0.3, 0.3, 0.9, 0.0)
NONSENSE = (math.nan, -0.1, 1.1, math.inf)
DOUBLE_ROUNDING = 1e-12


class AlphaSchedule(Probe[Schedule]):
    """A ramp stays in [0, 1], goes one way, and ends exactly where it was told to.

    What: every curve over ramps of 0 to 50 steps, up, down, from the middle and to where it is already: at
    every step alpha lies in [0, 1], between start and target, and moves towards the target or rests; after
    exactly the steps asked for it is the target, to the last bit, and stays. A ramp of zero steps is
    there at once. Targets that are not in [0, 1] are refused. Saved and loaded at every step, it goes on as it was.

    Why: a clamp turns NaN into full blend; a ramp that lands beside 1 never opens the gate that asks
    for it; a controller that forgets its start jumps when a run is resumed.

    Quiet: any curve between the ends will do, and how steep it is. What is not saved need not be declared.

    Tickets: real code
    """

    contract = "alpha-schedule"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P1
    takes = Schedule
    limits: ClassVar[Limits] = {
        "out-of-bounds": must_be_zero("alpha left [0, 1]"),
        "accepts-nonsense": must_be_zero("a target that is no number in [0, 1] was taken"),
        "overshoot": must_be_zero("alpha left the stretch between where it started and its target"),
        "turns-back": must_be_zero("alpha moved away from its target"),
        "end": must_be_zero("after the last step alpha is not the target"),
        "restless": must_be_zero("alpha moves after its last step"),
        "round-trip": Limit("at most", DOUBLE_ROUNDING, "what was loaded goes on in another way"),
    }

    def measure(self, subject: Schedule, state: str) -> Iterator[Reading]:
        """Walk every curve, length and target."""
        for target in NONSENSE:
            yield _refused(subject, subject.at(state), target)
        for (curve, value), steps in product(subject.curves.items(), LENGTHS):
            built = subject.at(state)
            for target in TARGETS:
                witness: dict[str, Plain] = {"curve": curve, "steps": steps, "target": target}
                start = subject.value(built)
                subject.retarget(built, target, steps, value)
                walked, resumed = [subject.value(built)], list[list[float]]()
                for step in range(steps):
                    resumed.append(_resumed(subject, built, steps - step))
                    subject.step(built)
                    walked.append(subject.value(built))
                gaps = [
                    abs(a - b) for c in resumed for a, b in zip(c[::-1], walked[::-1], strict=False)
                ]
                yield Reading("round-trip", max(gaps, default=0.0), witness)
                yield from _course(start, target, walked, witness)
                subject.step(built)
                rest = abs(subject.value(built) - walked[-1])
                yield Reading("restless", rest, witness)


def _course(
    start: float, target: float, walked: list[float], witness: dict[str, Plain]
) -> Iterator[Reading]:
    """Yield what is wrong with the values of one ramp, the one before its first step included."""
    outside = max(max(0.0, -alpha, alpha - 1.0) for alpha in walked)
    if any(math.isnan(alpha) for alpha in walked):
        outside = math.nan
    yield Reading("out-of-bounds", outside, witness)
    low, high = sorted((start, target))
    yield Reading("overshoot", max(max(0.0, low - a, a - high) for a in walked), witness)
    distances = [abs(target - alpha) for alpha in (start, *walked)]
    away = max((b - a for a, b in pairwise(distances)), default=0.0)
    yield Reading("turns-back", max(0.0, away), witness)
    yield Reading("end", distances[-1], witness)


def _resumed(subject: Schedule, built: Any, remaining: int) -> list[float]:
    """Save and load, and walk what was loaded: return its values, nothing if it is not saved."""
    if subject.save is None or subject.load is None:
        return []
    loaded, values = subject.load(subject.save(built)), []
    for _ in range(remaining):
        subject.step(loaded)
        values.append(subject.value(loaded))
    return values


def _refused(subject: Schedule, built: Any, target: float) -> Reading:
    """Return 1 if a target was taken. Whatever error it is refused with will do."""
    try:
        subject.retarget(built, target, 2, next(iter(subject.curves.values())))
    # A refusal is an error of the subject's own choice.
    except FAILURES:
        return Reading("accepts-nonsense", 0.0, {"target": f"{target}"})
    return Reading("accepts-nonsense", 1.0, {"target": f"{target}"})
