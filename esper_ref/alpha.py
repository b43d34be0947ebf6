"""Alpha, the share of the seed in the blend: its curves, its modes and the controller."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from esper_ref.errors import AlphaError
from esper_ref.strict import number, read, require_keys, share, text, whole

# A sigmoid has temperature 1 / steepness. Below this one its ramp would be a jump in mid-air at
# t = 1/2; the controller jumps at once instead.
SNAP_TEMPERATURE = 1e-9


class AlphaMode(StrEnum):
    """What the controller is doing."""

    HOLD = "hold"
    UP = "up"
    DOWN = "down"


class AlphaAlgorithm(StrEnum):
    """Which operator alpha drives (see `blending`)."""

    ADD = "add"
    MULTIPLY = "multiply"
    GATE = "gate"


class AlphaCurve(StrEnum):
    """How a ramp bends: monotone maps of [0, 1] onto itself, exact at both ends."""

    LINEAR = "linear"
    COSINE = "cosine"
    SIGMOID = "sigmoid"

    def at(self, t: float, steepness: float = 12.0) -> float:
        """Return the height of the curve at `t` in [0, 1].

        Only SIGMOID reads `steepness`.
        """
        if not 0.0 <= t <= 1.0:
            raise AlphaError(f"a curve is defined on [0, 1], got t = {t}")
        if t in (0.0, 1.0) or self is AlphaCurve.LINEAR:
            return t
        if self is AlphaCurve.COSINE:
            return (1.0 - math.cos(math.pi * t)) / 2.0
        return _sigmoid(t, steepness)


def _sigmoid(t: float, k: float) -> float:
    """Return (s(k(t-1/2)) - s(-k/2)) / (s(k/2) - s(-k/2)) for the logistic s.

    Written with s(x) = (1 + tanh(x/2)) / 2, which cannot overflow whatever k is.
    """
    if t == 0.5:  # by symmetry; an infinite k would make 0 * inf of it
        return t
    end = math.tanh(k / 4.0)
    if end < sys.float_info.min:  # the limit as k goes to 0 is the line
        return t
    height = (math.tanh(k * (t - 0.5) / 2.0) + end) / (2.0 * end)
    return min(1.0, max(0.0, height))


def require_alpha(alpha: float, where: str) -> float:
    """Return `alpha`, refusing NaN and what lies outside [0, 1]: clamping would hide both."""
    if not 0.0 <= alpha <= 1.0:
        raise AlphaError(f"{where}: got alpha = {alpha}, expected a number in [0, 1]; nothing set")
    return float(alpha)


def _require_steepness(steepness: float) -> float:
    if not steepness > 0.0:
        raise AlphaError(f"got alpha_steepness = {steepness}, expected a number above 0")
    return steepness


@dataclass
class AlphaController:
    """A ramp of alpha from where it is to a target, one `step` at a time.

    The ramp is a straight count of steps bent by a curve. It never overshoots, is exact at its
    last step, and then holds. A new target is taken only while it holds. A ramp of zero steps,
    or a sigmoid of temperature (1 / steepness) below `SNAP_TEMPERATURE`, is an immediate snap.
    """

    alpha: float = 0.0
    alpha_start: float = 0.0
    alpha_target: float = 0.0
    alpha_mode: AlphaMode = AlphaMode.HOLD
    alpha_curve: AlphaCurve = AlphaCurve.LINEAR
    alpha_steepness: float = 12.0
    alpha_steps_total: int = 0
    alpha_steps_done: int = 0

    def __post_init__(self) -> None:
        """Refuse a controller that could not have come about by stepping."""
        for name in ("alpha", "alpha_start", "alpha_target"):
            require_alpha(getattr(self, name), f"AlphaController.{name}")
        _require_steepness(self.alpha_steepness)
        self.alpha_mode = AlphaMode(self.alpha_mode)
        self.alpha_curve = AlphaCurve(self.alpha_curve)
        if not 0 <= self.alpha_steps_done <= self.alpha_steps_total:
            raise AlphaError(
                f"got {self.alpha_steps_done} steps done of {self.alpha_steps_total}; "
                "expected 0 <= alpha_steps_done <= alpha_steps_total"
            )

    @property
    def holds_target(self) -> bool:
        """Alpha is at its target and nothing is moving it."""
        return self.alpha_mode is AlphaMode.HOLD and self.alpha == self.alpha_target

    def retarget(
        self,
        *,
        alpha_target: float,
        alpha_steps_total: int,
        alpha_curve: AlphaCurve | None = None,
        alpha_steepness: float | None = None,
    ) -> None:
        """Begin a ramp to `alpha_target`.

        It is legal only from HOLD. None keeps the curve or the steepness.
        """
        if self.alpha_mode is not AlphaMode.HOLD:
            raise AlphaError(
                f"the controller is ramping {self.alpha_mode} to {self.alpha_target}, step "
                f"{self.alpha_steps_done} of {self.alpha_steps_total}. Retarget once it holds."
            )
        if alpha_steps_total < 0:
            raise AlphaError(f"got alpha_steps_total = {alpha_steps_total}, expected 0 or more")
        steepness = self.alpha_steepness if alpha_steepness is None else alpha_steepness
        target = require_alpha(alpha_target, "AlphaController.retarget")
        self.alpha_steepness = _require_steepness(steepness)
        self.alpha_curve = self.alpha_curve if alpha_curve is None else AlphaCurve(alpha_curve)
        self.alpha_start, self.alpha_target = self.alpha, target
        self.alpha_steps_total, self.alpha_steps_done = alpha_steps_total, 0
        if alpha_steps_total == 0 or self._is_a_jump() or target == self.alpha:
            self._snap()
            return
        self.alpha_mode = AlphaMode.UP if target > self.alpha else AlphaMode.DOWN

    def step(self) -> bool:
        """Take one step of the ramp.

        Return True once the target is reached and held.
        """
        if self.alpha_mode is AlphaMode.HOLD:
            return self.holds_target
        self.alpha_steps_done += 1
        if self.alpha_steps_done >= self.alpha_steps_total:
            self._snap()
            return True
        t = self.alpha_steps_done / self.alpha_steps_total
        height = self.alpha_curve.at(t, self.alpha_steepness)
        alpha = self.alpha_start + (self.alpha_target - self.alpha_start) * height
        low, high = sorted((self.alpha_start, self.alpha_target))
        self.alpha = min(high, max(low, alpha))
        return False

    def _is_a_jump(self) -> bool:
        temperature = 1.0 / self.alpha_steepness
        return self.alpha_curve is AlphaCurve.SIGMOID and temperature < SNAP_TEMPERATURE

    def _snap(self) -> None:
        self.alpha = self.alpha_target
        self.alpha_steps_done = self.alpha_steps_total
        self.alpha_mode = AlphaMode.HOLD

    def to_dict(self) -> dict[str, float | int | str]:
        """Return every field as a plain number or string."""
        plain = asdict(self)
        return plain | {"alpha_mode": self.alpha_mode.value, "alpha_curve": self.alpha_curve.value}

    @classmethod
    def from_dict(cls, d: Mapping[str, object]) -> AlphaController:
        """Return the controller that `to_dict` wrote.

        A missing or unknown key is an error, and so is a wrong value.
        """
        require_keys("AlphaController", d, (field.name for field in fields(cls)))
        for name, parse in FIELD_PARSERS.items():
            read("AlphaController", d, name, parse)
        return cls(**d)  # type: ignore[arg-type]  # the constructor validates each value


FIELD_PARSERS: dict[str, Callable[[object], object]] = {
    "alpha": share,
    "alpha_start": share,
    "alpha_target": share,
    "alpha_mode": lambda value: AlphaMode(text(value)),
    "alpha_curve": lambda value: AlphaCurve(text(value)),
    "alpha_steepness": lambda value: _require_steepness(number(value)),
    "alpha_steps_total": whole,
    "alpha_steps_done": whole,
}
