"""The probe `ema-bias`: a running average is unbiased from its first sample on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import inf, nan
from typing import ClassVar

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.readings import Limit, Limits, Reading
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import Average
from esper_audit.rules.rule import Options

SAMPLES = 200
LATE = 50  # the last samples, in which an average that has not arrived must still move
# Relative to the constant, for an average in double precision.
ROUNDING = 1e-6
NEAR = 0.95


class EmaBiasParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`heals`: a sample that is not finite has no effect after the next finite one."""

    heals: bool = False


class EmaBias(Probe[Average]):
    """A running average is unbiased from its first sample on.

    What: after each of 200 equal samples the average must equal that constant. After a jump of the samples
    it must approach the new value, without overshoot or a step back. The witness has the number of samples
    after which the average reaches 95 % of the constant. An average that declares its `start` must have
    that value before the first sample, and approach the constant from there.

    Why: an average that starts from zero without correction has a tenth of the true value after the first
    sample, at a decay of 0.9. A gate that compares it with a threshold then decides by the number of samples.

    Quiet: an average that starts from its first sample has no bias. Any decay is allowed. Declare the
    `constants` of an average that takes no negative samples, such as norms, and the `start` of one of
    weights that begins with those of the model.

    Tickets: deep dive 2
    """

    contract = "ema-bias"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    takes = Average
    Parameters = EmaBiasParameters
    parameters: EmaBiasParameters
    limits: ClassVar[Limits] = {
        "start": Limit(
            "at most", ROUNDING, "the average without samples differs from its declared start"
        ),
        "bias": Limit("at most", ROUNDING, "the average of a constant differs from that constant"),
        "jump": Limit(
            "at most",
            ROUNDING,
            "after a jump the average overshot the new value or moved away from it",
        ),
        "stuck": Limit(
            "at most", 1.0 - NEAR, "after a jump the average did not approach the new value"
        ),
        "poisoned": Limit(
            "at most", ROUNDING, "a sample that is not finite affects later averages"
        ),
    }

    def measure(self, subject: Average, state: str) -> Iterator[Reading]:
        """Update with constants, then with a jump, or from the declared start."""
        for constant in subject.constants:
            average = subject.at(state)
            if subject.start is None:
                yield from _bias(subject, average, constant)
                shares = [1.0, *_averages(subject, average, 2.0 * constant, constant)]
                yield from _approach(shares, 2.0, constant)
            elif constant != subject.start:
                yield from _from_start(subject, average, constant, subject.start)
        whole = subject.constants[0]
        for odd in (nan, inf, -inf) if self.parameters.heals else ():
            for before in (0, 3):
                average = subject.at(state)
                for earlier in (*[whole] * before, odd):
                    subject.update(average, earlier)
                error = abs(_update(subject, average, whole) / whole - 1.0)
                yield Reading("poisoned", error, {"sample": f"{odd}", "samples_before": before})


def _bias(subject: Average, average: object, constant: float) -> Iterator[Reading]:
    """Yield the relative error after each of many equal samples."""
    errors = [abs(share - 1.0) for share in _averages(subject, average, constant, constant)]
    near = next((n for n, e in enumerate(errors, 1) if e <= 1.0 - NEAR), SAMPLES + 1)
    for sample, error in enumerate(errors, 1):
        witness: dict[str, Plain] = {"constant": constant, "sample": sample}
        yield Reading("bias", error, {**witness, "samples_to_95_percent": near})


def _from_start(
    subject: Average, average: object, constant: float, start: float
) -> Iterator[Reading]:
    """Yield the error of the declared start, and how the average approaches a constant from there."""
    way = constant - start
    begin = float(subject.value(average))
    yield Reading("start", abs(begin - start) / abs(way), {"start": start})
    shares = [(value - start) / way for value in _averages(subject, average, constant)]
    yield from _approach([0.0, *shares], 1.0, constant)


def _approach(shares: list[float], goal: float, constant: float) -> Iterator[Reading]:
    """Yield how far an average moves away from its goal, overshoots it, or stops before it."""
    back = [a - b for a, b in pairwise(shares)]
    witness: dict[str, Plain] = {"constant": constant}
    yield Reading("jump", max(0.0, max(shares) - goal, *back), witness)
    is_moving = shares[-1] > shares[-LATE]
    yield Reading("stuck", 0.0 if is_moving else abs(shares[-1] / goal - 1.0), witness)


def _averages(subject: Average, average: object, sample: float, unit: float = 1.0) -> list[float]:
    """Return the averages after each of many equal samples, in a unit."""
    return [_update(subject, average, sample) / unit for _ in range(SAMPLES)]


def _update(subject: Average, average: object, sample: float) -> float:
    subject.update(average, sample)
    return float(subject.value(average))
