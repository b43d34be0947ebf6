"""The probe `gradient-ratio`: a ratio of gradient norms is finite, bounded, and low without gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise, product
from typing import ClassVar

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import Plain
from esper_audit.probes.measure.readings import Limits, Reading, must_be_zero
from esper_audit.probes.probe import Probe
from esper_audit.probes.subject.kinds import Ratio
from esper_audit.rules.rule import Options

DEAD = (
    0.0,
    5e-324,
    1e-45,
    1e-30,
)  # zero, the smallest double, the smallest float, and a negligible norm
LIVE = (1e-4, 1e-2, 1.0, 10.0, 1e20)
NOT_FINITE = (math.nan, math.inf)
COUNTS = (1000, 64000)


class GradientRatioParameters(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`bound` is the largest ratio there may be."""

    bound: float = 10.0


class GradientRatio(Probe[Ratio]):
    """A ratio of gradient norms is finite and bounded, and it is low without gradients.

    What: the probe calls the function on a grid of seed and host norms (zero, subnormal, tiny, usual, huge,
    NaN, infinite, missing), and for a seed without parameters. It must not raise. The result is None or lies
    in [0, bound]. For a norm that is zero, tiny, missing or not finite it is None or 0. Otherwise it falls
    with the host's norm and rises with the seed's.

    Why: a frozen or untrained host has norm 0. With a tiny epsilon the ratio becomes huge, and `min(10, nan)`
    is 10, so that the gate passes without evidence.

    Quiet: the function chooses the threshold between a tiny and a usual norm.

    Tickets: deep dive 1.2, B3-PT-01, B3-DRL-14
    """

    contract = "host-norm-guard"
    category = Category.NUMERICAL_STABILITY
    severity = Severity.P1
    takes = Ratio
    Parameters = GradientRatioParameters
    parameters: GradientRatioParameters
    limits: ClassVar[Limits] = {
        "raises": must_be_zero("the ratio raised"),
        "not-finite": must_be_zero("the ratio is not finite"),
        "out-of-bounds": must_be_zero("the ratio is out of bounds"),
        "nan-reads-well": must_be_zero("a norm that is not finite gives a positive ratio"),
        "dead-host-reads-well": must_be_zero("a host without a gradient gives a positive ratio"),
        "dead-seed-reads-well": must_be_zero(
            "a seed without a gradient or parameters gives a positive ratio"
        ),
        "not-monotone": must_be_zero(
            "a larger seed norm, or a smaller host norm, lowers the ratio"
        ),
    }

    def measure(self, subject: Ratio, state: str) -> Iterator[Reading]:
        """Call the function on the grid."""
        ratio = _RatioFunction(subject, state)
        norms = (None, *DEAD, *LIVE, *NOT_FINITE)
        for seed, host in product(norms, norms):
            yield from self._judge(ratio, seed, host, COUNTS[0])
        for host in (1.0, *DEAD):
            yield from self._judge(ratio, 0.0, host, 0)
        for fixed in LIVE:
            rising = [ratio.at(seed, fixed, COUNTS[0]) or 0.0 for seed in LIVE]
            falling = [ratio.at(fixed, host, COUNTS[0]) or 0.0 for host in reversed(LIVE)]
            falls = sum(a > b for values in (rising, falling) for a, b in pairwise(values))
            yield Reading("not-monotone", float(falls), {"other_norm": fixed})

    def _judge(
        self, ratio: _RatioFunction, seed: float | None, host: float | None, count: int
    ) -> Iterator[Reading]:
        """Yield the readings of one call."""
        witness: dict[str, Plain] = {
            "seed_norm": f"{seed}",
            "host_norm": f"{host}",
            "seed_params": count,
        }
        value = ratio.at(seed, host, count)
        yield Reading("raises", float(bool(ratio.error)), {**witness, "error": ratio.error})
        if value is None:
            return
        yield Reading("not-finite", float(not math.isfinite(value)), witness)
        if not math.isfinite(value):
            return
        yield Reading("out-of-bounds", max(0.0, value - self.parameters.bound, -value), witness)
        if any(norm is not None and not math.isfinite(norm) for norm in (seed, host)):
            yield Reading("nan-reads-well", value, witness)
        elif host in (None, *DEAD):
            yield Reading("dead-host-reads-well", value, witness)
        elif seed in (None, 0.0) or count == 0:
            yield Reading("dead-seed-reads-well", value, witness)


class _RatioFunction:
    """The function under test, and the error text of its last call."""

    def __init__(self, subject: Ratio, state: str) -> None:
        self.subject, self.built, self.error = subject, subject.at(state), ""

    def at(self, seed: float | None, host: float | None, count: int) -> float | None:
        """Return the ratio, None if it is not measured or the function raised."""
        self.error = ""
        try:
            ratio = self.subject.call(self.built, seed, host, count, COUNTS[1])
        except (ArithmeticError, ValueError, TypeError, RuntimeError) as error:
            self.error = f"{type(error).__name__}: {error}"
            return None
        return None if ratio is None else float(ratio)
