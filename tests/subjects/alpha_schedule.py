"""The corpus of the probe `alpha-schedule`."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

from subjects.cases import Case, broken, sound

from esper_audit.subject import Schedule, promise


class Ramp:
    """A straight or bent ramp from the current value to a target.

    Subclasses have one defect each.
    """

    def __init__(self) -> None:
        self.alpha = self.start = self.target = 0.0
        self.total = self.done = 0
        self.curve = "linear"

    def retarget(self, target: float, steps: int, curve: str) -> None:
        self.require(target)
        self.start, self.target, self.total, self.done = self.alpha, target, steps, 0
        self.curve = curve
        if steps == 0:
            self.snap()

    def require(self, target: float) -> None:
        if not 0.0 <= target <= 1.0:
            raise ValueError(f"got {target}, expected a number in [0, 1]")

    def snap(self) -> None:
        self.alpha = self.target

    def step(self) -> None:
        if self.done >= self.total:
            return
        self.done += 1
        self.alpha = self.at(self.done / self.total)
        if self.done == self.total:
            self.snap()

    def at(self, t: float) -> float:
        height = t if self.curve == "linear" else (1.0 - math.cos(math.pi * t)) / 2.0
        low, high = sorted((self.start, self.target))
        return min(high, max(low, self.start + (self.target - self.start) * height))

    def save(self) -> dict[str, object]:
        return dict(vars(self))

    @classmethod
    def load(cls, saved: dict[str, object]) -> Ramp:
        ramp = cls()
        vars(ramp).update(saved)
        return ramp


class Stairs(Ramp):
    """Rests for a step at a time: monotone, but not strictly."""

    def at(self, t: float) -> float:
        return super().at(math.floor(4 * t) / 4)


class ClampsNonsense(Ramp):
    def require(self, target: float) -> None:
        return

    def retarget(self, target: float, steps: int, curve: str) -> None:
        super().retarget(min(1.0, max(0.0, target)), steps, curve)


class RefusesOutsideOnly(Ramp):
    """Misses NaN, because every comparison with NaN is false."""

    def require(self, target: float) -> None:
        if target < 0.0 or target > 1.0:
            raise ValueError(f"got {target}")


class NeverSnaps(Ramp):
    """A logistic curve that only approaches its ends."""

    def snap(self) -> None:
        return

    def at(self, t: float) -> float:
        height = 1.0 / (1.0 + math.exp(-12.0 * (t - 0.5)))
        return self.start + (self.target - self.start) * height


class LateByOneStep(Ramp):
    """A ramp of zero steps takes effect at the next step."""

    def retarget(self, target: float, steps: int, curve: str) -> None:
        super().retarget(target, max(1, steps), curve)


class Overshoots(Ramp):
    """Overshoots its target and returns."""

    def at(self, t: float) -> float:
        height = t + 0.5 * math.sin(math.pi * t) if t > 0.5 else t
        return self.start + (self.target - self.start) * height


class AlwaysFromZero(Ramp):
    """A second ramp starts where the first one started."""

    def at(self, t: float) -> float:
        return self.target * t


class Wavers(Ramp):
    def at(self, t: float) -> float:
        return super().at(max(0.0, t - 0.3 * math.sin(2 * math.pi * t) ** 2))


class GoesOn(Ramp):
    """Moves on after it has arrived."""

    def step(self) -> None:
        arrived = self.done >= self.total
        super().step()
        if arrived and 0.0 < self.alpha < 1.0:
            self.alpha = min(1.0, self.alpha + 0.01)


class ForgetsItsStart(Ramp):
    def save(self) -> dict[str, object]:
        return {"alpha": self.alpha, "target": self.target}


class ForgetsItsCurve(Ramp):
    """Ends at its target, along another curve."""

    def save(self) -> dict[str, object]:
        return super().save() | {"curve": "linear"}


class Accumulates(Ramp):
    """Adds a share at every step, whose sum is not exactly the target and may exceed it."""

    def snap(self) -> None:
        return

    def at(self, _t: float) -> float:
        return self.alpha + (self.target - self.start) / self.total


def cases() -> Iterator[Case]:
    yield sound(_schedule(Ramp))
    yield sound(_schedule(Stairs))
    yield broken(_schedule(ClampsNonsense), "accepts-nonsense")
    yield broken(_schedule(RefusesOutsideOnly), "accepts-nonsense")
    yield broken(_schedule(NeverSnaps), "end")
    yield broken(_schedule(LateByOneStep), "end restless")
    yield broken(_schedule(Overshoots), "out-of-bounds overshoot turns-back")
    yield broken(_schedule(AlwaysFromZero), "overshoot turns-back")
    yield broken(_schedule(Wavers), "turns-back")
    yield broken(_schedule(GoesOn), "restless")
    yield broken(_schedule(ForgetsItsStart), "round-trip")
    yield broken(_schedule(ForgetsItsCurve), "round-trip")
    yield broken(_schedule(Accumulates), "out-of-bounds overshoot end")


def _schedule(build: type[Ramp]) -> Schedule:
    return Schedule(
        name=build.__name__,
        build=build,
        retarget=lambda ramp, target, steps, curve: ramp.retarget(target, steps, curve),
        step=lambda ramp: ramp.step(),
        value=lambda ramp: ramp.alpha,
        curves={"linear": "linear", "cosine": "cosine"},
        save=lambda ramp: copy.deepcopy(ramp.save()),
        load=build.load,
        promises=[promise("alpha-schedule")],
    )
