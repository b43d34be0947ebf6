"""Readings, limits, and the judge between them: measuring runs modules, judging reads a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from esper_audit.findings.probe_record import Plain, Verdict, WorstReading

Relation = Literal["at most", "at least"]


class Reading(msgspec.Struct, frozen=True):
    """A number that a detector read, and where: seed, dims, dtype, position."""

    detector: str
    value: float
    witness: dict[str, Plain] = {}


class Limit(msgspec.Struct, frozen=True):
    """What the readings of a detector may be; `breach` is the verdict where they are not.

    `sentence` says what a breach means. A reading that is NaN breaks every limit.
    """

    relation: Relation
    threshold: float
    sentence: str
    breach: Verdict = Verdict.FAIL

    def holds(self, value: float) -> bool:
        """Return whether a value is within the limit."""
        if self.relation == "at most":
            return value <= self.threshold
        return value >= self.threshold


class Judgement(msgspec.Struct, frozen=True):
    """What a set of readings comes to."""

    verdict: Verdict
    code: str
    message: str
    numbers: tuple[WorstReading, ...]
    witness: dict[str, Plain]


Limits = Mapping[str, Limit]


def none_of(sentence: str) -> Limit:
    """Return the limit of a detector that must read zero, exactly."""
    return Limit("at most", 0.0, sentence)


def control(sentence: str) -> Limit:
    """Return the limit of a control: a probe that looked at something dead has seen nothing."""
    return Limit("at least", 1.0, sentence, Verdict.INCONCLUSIVE)


def judge(readings: Iterable[Reading], limits: Limits) -> Judgement:
    """Return the verdict: the first limit that breaks as a failure, else the first that breaks at all.

    Limits speak in the order in which they are written. No reading at all decides nothing.
    """
    worst: dict[str, Reading] = {}
    for reading in readings:
        known = worst.get(reading.detector)
        if known is None or _is_worse(reading, known, limits[reading.detector]):
            worst[reading.detector] = reading
    numbers = tuple(_number(worst[name], limit) for name, limit in limits.items() if name in worst)
    broken = [number.detector for number in numbers if not number.held]
    broken.sort(key=lambda name: limits[name].breach is not Verdict.FAIL)
    if not worst:
        return Judgement(Verdict.INCONCLUSIVE, "nothing-read", "no detector read anything", (), {})
    if not broken:
        return Judgement(Verdict.PASS, "holds", _said(numbers), numbers, {})
    limit, reading = limits[broken[0]], worst[broken[0]]
    message = f"{limit.sentence}: {_shown(reading, limit)}"
    return Judgement(limit.breach, broken[0], message, numbers, reading.witness)


def _is_worse(reading: Reading, known: Reading, limit: Limit) -> bool:
    if limit.holds(reading.value) != limit.holds(known.value):
        return limit.holds(known.value)
    if limit.relation == "at most":
        return reading.value > known.value
    return reading.value < known.value


def _number(reading: Reading, limit: Limit) -> WorstReading:
    held = limit.holds(reading.value)
    return WorstReading(reading.detector, reading.value, limit.relation, limit.threshold, held)


def _said(numbers: Iterable[WorstReading]) -> str:
    return ", ".join(f"{number.detector} {number.value:.3g}" for number in numbers)


def _shown(reading: Reading, limit: Limit) -> str:
    where = ", ".join(f"{name} {value}" for name, value in reading.witness.items())
    wanted = f"{reading.value:.3g}, wanted {limit.relation} {limit.threshold:.3g}"
    return f"{wanted} ({where})" if where else wanted
