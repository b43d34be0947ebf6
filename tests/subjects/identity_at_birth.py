"""The corpus of the probe `identity-at-birth`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from subjects import births
from subjects.cases import Case, broken, sound

from esper_audit.subject import promise

PROBE = "identity-at-birth"


def cases() -> Iterator[Case]:
    for build in (
        births.ScaledBranch,
        births.ZeroConvolution,
        births.Excitation,
        births.ExcitationOfZeros,
        births.LowRank,
        births.NormalisedDifference,
    ):
        yield sound(births.seed(PROBE, build))
    tolerated = [promise(PROBE, tolerance=1e-4)]
    small = births.seed(PROBE, births.SmallScale)
    yield sound(replace(small, name="small-scale-tolerated", promises=tolerated))
    for build in (births.RandomConvolution, births.SmallScale, births.HalvingExcitation):
        yield broken(births.seed(PROBE, build), "jump jump-in-train")
    yield broken(births.seed(PROBE, births.BranchAlone), "jump jump-in-train")
    yield broken(births.seed(PROBE, births.DropsTheResidual), "jump-in-train")
