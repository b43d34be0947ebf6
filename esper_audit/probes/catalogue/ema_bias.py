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

CONSTANTS = (1.0, -3.5, 1e-6, 1e6)
SAMPLES = 200
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
    after which the average reaches 95 % of the constant.

    Why: an average that starts from zero without correction has a tenth of the true value after the first
    sample, at a decay of 0.9. A gate that compares it with a threshold then decides by the number of samples.

    Quiet: an average that starts from its first sample has no bias. Any decay is allowed.

    Tickets: deep dive 2
    """

    contract = "ema-bias"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    takes = Average
    Parameters = EmaBiasParameters
    parameters: EmaBiasParameters
    limits: ClassVar[Limits] = {
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
        """Update with constants, then with a jump."""
        for constant in CONSTANTS:
            average = subject.at(state)
            averages = [_update(subject, average, constant) for _ in range(SAMPLES)]
            errors = [abs(value / constant - 1.0) for value in averages]
            near = next((n for n, e in enumerate(errors, 1) if e <= 1.0 - NEAR), SAMPLES + 1)
            for sample, error in enumerate(errors, 1):
                witness: dict[str, Plain] = {"constant": constant, "sample": sample}
                yield Reading("bias", error, {**witness, "samples_to_95_percent": near})
            after = [_update(subject, average, 2.0 * constant) / constant for _ in range(SAMPLES)]
            shares = [1.0, *after]
            back = [a - b for a, b in pairwise(shares)]
            past = max(shares) - 2.0
            yield Reading("jump", max(0.0, past, *back), {"constant": constant})
            yield Reading("stuck", abs(shares[-1] / 2.0 - 1.0), {"constant": constant})
        for odd in (nan, inf, -inf) if self.parameters.heals else ():
            for before in (0, 3):
                average = subject.at(state)
                for earlier in (*[1.0] * before, odd):
                    subject.update(average, earlier)
                error = abs(_update(subject, average, 1.0) - 1.0)
                yield Reading("poisoned", error, {"sample": f"{odd}", "samples_before": before})


def _update(subject: Average, average: object, sample: float) -> float:
    subject.update(average, sample)
    return float(subject.value(average))
