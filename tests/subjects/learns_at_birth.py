"""The corpus of the probe `learns-at-birth`."""

from __future__ import annotations

from collections.abc import Iterator

from subjects import births
from subjects.cases import Case, broken, sound

PROBE = "learns-at-birth"


def cases() -> Iterator[Case]:
    for build in (
        births.ScaledBranch,
        births.RandomConvolution,
        births.Excitation,
        births.LowRank,
        births.NormalisedDifference,
    ):
        yield sound(births.seed(PROBE, build))
    for build in (
        births.ZeroConvolution,
        births.RectifiedScale,
        births.DetachedBranch,
        births.FrozenBranch,
        births.LowRankOfZeros,
        births.ExcitationOfZeros,
        births.IdleWeight,
    ):
        yield broken(births.seed(PROBE, build), "live-parameters departure")
    yield broken(births.seed(PROBE, births.NoMoreThanDust), "departure")
