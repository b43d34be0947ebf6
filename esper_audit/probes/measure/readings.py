"""Readings of detectors, their limits, and the judgement of readings by limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from esper_audit.findings.probe_record import (
    READING,
    Plain,
    Verdict,
    WorstReading,
    finite_or_text,
    printable,
)

Relation = Literal["at most", "at least"]
# What the program of a failure needs from its witness, and its reader does not.
FOR_PROGRAM = frozenset({"way", "draw", "mixed", "zero", "every"})


class Reading(msgspec.Struct, frozen=True):
    """A number that a detector measured, with its circumstances such as seed, dim, dtype, position."""

    detector: str
    value: float
    witness: dict[str, Plain] = {}


class Limit(msgspec.Struct, frozen=True):
    """The bound on the readings of a detector.

    `sentence` describes a breach and `breach` is its verdict. The readings of a flag are
    0 or a breach. A reading of NaN is a breach of every limit. `unit` follows a value that has one.
    """

    relation: Relation
    threshold: float
    sentence: str
    breach: Verdict = Verdict.FAIL
    is_flag: bool = False
    unit: str = ""

    def is_kept_by(self, value: float) -> bool:
        """Return whether a value is within the limit."""
        if self.relation == "at most":
            return value <= self.threshold
        return value >= self.threshold


class BrokenLimit(msgspec.Struct, frozen=True):
    """A detector whose limit is broken, with the sentence that reports it and the worst reading's witness."""

    detector: str
    message: str
    witness: dict[str, Plain]


class Judgement(msgspec.Struct, frozen=True):
    """The verdict on a set of readings, with its reasons.

    `broken` are the limits whose breach is a failure.
    """

    verdict: Verdict
    code: str
    message: str
    numbers: tuple[WorstReading, ...]
    witness: dict[str, Plain]
    broken: tuple[BrokenLimit, ...] = ()


Limits = Mapping[str, Limit]


def must_be_zero(sentence: str) -> Limit:
    """Return the limit of a detector whose readings must be exactly zero."""
    return Limit("at most", 0.0, sentence)


def must_not_occur(sentence: str) -> Limit:
    """Return the limit of a detector that reads 1 where something occurs that must not."""
    return Limit("at most", 0.0, sentence, is_flag=True)


def within_rounding(sentence: str) -> Limit:
    """Return the limit of a detector that reads a difference in multiples of what rounding may cause."""
    return Limit("at most", 1.0, sentence, unit=" times what rounding explains")


def control(sentence: str) -> Limit:
    """Return the limit of a control, whose breach makes the measurement inconclusive."""
    return Limit("at least", 1.0, sentence, Verdict.INCONCLUSIVE)


def judge(readings: Iterable[Reading], limits: Limits) -> Judgement:
    """Return the judgement by the first limit whose breach is a failure, else by the first breach.

    Limits are checked in the order of their declaration. Without readings the verdict is inconclusive.
    """
    worst: dict[str, Reading] = {}
    for reading in readings:
        known = worst.get(reading.detector)
        if known is None or _is_worse(reading, known, limits[reading.detector]):
            worst[reading.detector] = reading
    numbers = tuple(
        _worst_reading(worst[name], limit) for name, limit in limits.items() if name in worst
    )
    broken = [number.detector for number in numbers if not number.held]
    broken.sort(key=lambda name: limits[name].breach is not Verdict.FAIL)
    if not worst:
        return Judgement(
            Verdict.INCONCLUSIVE, "nothing-read", "no detector returned a reading", (), {}
        )
    if not broken:
        return Judgement(Verdict.PASS, "holds", _summary(numbers), numbers, {})
    first = limits[broken[0]]
    failures = [_broken_limit(worst[name], limits[name]) for name in broken]
    failed = [f for f in failures if limits[f.detector].breach is Verdict.FAIL]
    decided = failures[0]
    return Judgement(
        first.breach, broken[0], decided.message, numbers, decided.witness, tuple(failed)
    )


def _broken_limit(reading: Reading, limit: Limit) -> BrokenLimit:
    message = f"{limit.sentence}{READING}{_measurement(reading, limit)}"
    return BrokenLimit(reading.detector, message, printable(reading.witness))


def without_reading(message: str) -> str:
    """Return the sentence of a failure's message, without the reading, which varies between machines."""
    return message.partition(READING)[0]


def _is_worse(reading: Reading, known: Reading, limit: Limit) -> bool:
    if limit.is_kept_by(reading.value) != limit.is_kept_by(known.value):
        return limit.is_kept_by(known.value)
    if limit.relation == "at most":
        return reading.value > known.value
    return reading.value < known.value


def _worst_reading(reading: Reading, limit: Limit) -> WorstReading:
    held = limit.is_kept_by(reading.value)
    value, threshold = finite_or_text(reading.value), finite_or_text(limit.threshold)
    return WorstReading(reading.detector, value, limit.relation, threshold, held)


def _summary(numbers: Iterable[WorstReading]) -> str:
    return ", ".join(f"{number.detector} {float(number.value):.3g}" for number in numbers)


def _measurement(reading: Reading, limit: Limit) -> str:
    shown = {k: v for k, v in reading.witness.items() if v != "" and k not in FOR_PROGRAM}
    where = ", ".join(f"{name} {value}" for name, value in shown.items())
    if limit.is_flag:
        return where or "a breach"
    text = f"{reading.value:.3g}{limit.unit}, expected {limit.relation} {limit.threshold:.3g}"
    return f"{text} ({where})" if where else text
