"""The probe `ema-bias`: a running average says the truth from its first sample on."""

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
# Of the constant, in double precision; an average kept in single precision is promised as such.
ROUNDING = 1e-6
NEAR = 0.95


class EmaBiasParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`heals`: a sample that is not finite is forgotten as soon as a finite one came."""

    heals: bool = False


class EmaBias(Probe[Average]):
    """A running average says the truth from its first sample on.

    What: fed a constant, the average must read that constant after the first sample and after every
    other one; after a jump it must go towards the new value, never past it or away. The witness says after
    how many samples it reads 95 % of the constant.

    Why: an average that starts from zero and is not corrected reads a tenth of the truth at first, with
    a decay of 0.9. A gate that compares it with a threshold decides on the age of the average.

    Quiet: an average that starts from its first sample has no bias. How fast it forgets is its own
    business.

    Tickets: deep dive 2
    """

    contract = "ema-bias"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P2
    takes = Average
    Parameters = EmaBiasParameters
    parameters: EmaBiasParameters
    limits: ClassVar[Limits] = {
        "bias": Limit("at most", ROUNDING, "a constant does not read as that constant"),
        "jump": Limit("at most", ROUNDING, "after a jump the average went past it or away from it"),
        "stuck": Limit("at most", 1.0 - NEAR, "after a jump the average never came near it"),
        "poisoned": Limit("at most", ROUNDING, "one sample that is not finite spoils what follows"),
    }

    def measure(self, subject: Average, state: str) -> Iterator[Reading]:
        """Feed constants, then a jump."""
        for constant in CONSTANTS:
            average = subject.at(state)
            read = [_fed(subject, average, constant) for _ in range(SAMPLES)]
            errors = [abs(value / constant - 1.0) for value in read]
            near = next((n for n, e in enumerate(errors, 1) if e <= 1.0 - NEAR), SAMPLES + 1)
            for sample, error in enumerate(errors, 1):
                witness: dict[str, Plain] = {"constant": constant, "sample": sample}
                yield Reading("bias", error, {**witness, "samples_to_95_percent": near})
            after = [_fed(subject, average, 2.0 * constant) / constant for _ in range(SAMPLES)]
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
                error = abs(_fed(subject, average, 1.0) - 1.0)
                yield Reading("poisoned", error, {"sample": f"{odd}", "samples_before": before})


def _fed(subject: Average, average: object, sample: float) -> float:
    subject.update(average, sample)
    return float(subject.value(average))
