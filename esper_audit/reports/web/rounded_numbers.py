"""Numbers that differ from machine to machine in their last digits, rounded until they do not."""

from __future__ import annotations

import math

from esper_audit.findings.probe_record import WorstReading

DIGITS = 2
RESOLUTION = 100  # a reading is rounded to this part of its limit


def reading_text(reading: WorstReading) -> str:
    """Return a worst reading beside its limit: `0 (at most 1e-05)`."""
    return f"{_value_text(reading)} ({reading.relation} {number_text(float(reading.limit))})"


def number_text(number: float) -> str:
    """Return a number with two significant digits, whole numbers in full."""
    if math.isfinite(number) and number == int(number):
        return f"{int(number):,}"
    return f"{number:.{DIGITS}g}"


def _value_text(reading: WorstReading) -> str:
    """Return the value, rounding errors far below the limit as 0."""
    value = float(reading.value)
    step = abs(float(reading.limit)) / RESOLUTION
    is_noise = reading.relation == "at most" and reading.held and abs(value) < step
    return "0" if is_noise else number_text(value)
