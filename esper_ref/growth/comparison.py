"""Two arms over the same random seeds: mean, spread, and what may be claimed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import mean, stdev

FEWEST_SEEDS = 3

# 97.5 % points of Student's t by degrees of freedom; beyond the table the last serves, which
# makes the interval a little too wide.
STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True)
class Comparison:
    """Scores of two arms in percent, paired by random seed."""

    name: str
    other: str
    scores: tuple[float, ...]
    other_scores: tuple[float, ...]

    @property
    def differences(self) -> tuple[float, ...]:
        """By random seed, in percentage points."""
        return tuple(a - b for a, b in zip(self.scores, self.other_scores, strict=True))

    @property
    def half_interval(self) -> float:
        """Half the 95 % interval of the mean difference, by Student's t for paired samples."""
        n = len(self.differences)
        t = STUDENT_T[min(n - 1, len(STUDENT_T)) - 1]
        return t * stdev(self.differences) / math.sqrt(n)

    def sentence(self) -> str:
        """Say what the numbers allow to be said."""
        n = len(self.differences)
        if n < FEWEST_SEEDS:
            return f"{n} random seed(s): no claim is made below {FEWEST_SEEDS}"
        difference, half = mean(self.differences), self.half_interval
        found = (
            f"{self.name} minus {self.other}: {difference:+.2f} percentage points "
            f"(95 % interval {difference - half:+.2f} to {difference + half:+.2f}, n = {n})"
        )
        if abs(difference) <= half:
            return f"{found}: no difference is shown"
        return f"{found}: {self.name} is {'better' if difference > 0 else 'worse'}"


def mean_and_spread(values: tuple[float, ...]) -> str:
    """Return "mean ± sample standard deviation", or the one value alone."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{mean(values):.2f} ± {stdev(values):.2f}"
