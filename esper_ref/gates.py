"""The quality gates: what must be known of a seed before it may enter a stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from statistics import fmean, stdev

from esper_ref.errors import GateError, RulesError
from esper_ref.lifecycle import SeedStage, SeedState
from esper_ref.strict import require_count, require_number
from esper_ref.topology import LAYOUTS

DEFAULT_GRADIENT_RATIO_THRESHOLD = 0.05
RATIO_CHECK = "gradient_ratio"  # the name of the check that a measured ratio passes or fails
FALLEN = "contribution_fell"  # what G5 notes where the latest contribution is under the threshold


class GateLevel(IntEnum):
    """The gates, in the order in which a seed meets them."""

    G0 = 0
    G1 = 1
    G2 = 2
    G3 = 3
    G4 = 4
    G5 = 5


GATE_OF_STAGE: dict[SeedStage, GateLevel] = {
    SeedStage.GERMINATED: GateLevel.G0,
    SeedStage.TRAINING: GateLevel.G1,
    SeedStage.BLENDING: GateLevel.G2,
    SeedStage.SHADOWING: GateLevel.G3,
    SeedStage.PROBATIONARY: GateLevel.G4,
    SeedStage.FOSSILIZED: GateLevel.G5,
}


@dataclass(frozen=True)
class GateThresholds:
    """The numbers that decide. Accuracies and contributions are in percentage points.

    `gradient_ratio` is the default of a table by topology and blueprint, `gradient_ratios`, since
    the ratio of a healthy seed depends on both. 0.05 is a convention that no study backs: put
    what your own runs show into the table. A ratio within `near_fraction` of its threshold is
    reported, whichever way the gate went.

    G5 reads the last `contribution_epochs` contributions of PROBATIONARY, and at least so many.
    Their mean has to reach `min_contribution`, and it has to lie `contribution_errors` standard
    errors above 0. A single measurement is no evidence: with a noise of 0.5 points, a seed that
    contributes nothing reaches 0.5 points in one of six. The error rates of the defaults are in
    `reports/studies/gate_errors.md`. A window of one measurement has no spread.

    `relative_gradient_ratio` asks more of G2: the ratio has to reach that share of its own mean over
    the epochs before in the stage, so that a seed whose gradient dies away does not pass. 0 turns
    it off. `learning_rate_ratio` is the seed's learning rate over the host's: G2 compares
    ratio * learning_rate_ratio, the size of a step and not of a gradient.

    A value that is not finite, not of its type or out of its range raises `RulesError`.
    """

    gradient_ratio: float = DEFAULT_GRADIENT_RATIO_THRESHOLD
    gradient_ratios: Mapping[tuple[str, str], float] = field(default_factory=dict)
    relative_gradient_ratio: float = 0.0
    learning_rate_ratio: float = 1.0
    near_fraction: float = 0.20
    min_training_epochs: int = 3
    min_improvement: float = 0.0
    shadow_epochs: int = 3
    max_contribution_spread: float = 5.0
    min_contribution: float = 0.5
    contribution_epochs: int = 5
    contribution_errors: float = 3.0

    def __post_init__(self) -> None:
        """Refuse a threshold with which a gate cannot decide."""
        where = "GateThresholds"
        require_number(f"{where}: gradient_ratio", self.gradient_ratio, 0.0)
        for key, ratio in self.gradient_ratios.items():
            if not (isinstance(key, tuple) and len(key) == 2 and key[0] in LAYOUTS):
                raise RulesError(
                    f"{where}: gradient_ratios: got the key {key!r}, expected a topology of "
                    f"{sorted(LAYOUTS)} and a blueprint"
                )
            require_number(f"{where}: gradient_ratios[{key}]", ratio, 0.0)
        require_number(f"{where}: relative_gradient_ratio", self.relative_gradient_ratio, 0.0)
        require_number(f"{where}: learning_rate_ratio", self.learning_rate_ratio, 0.0)
        require_number(f"{where}: near_fraction", self.near_fraction, 0.0)
        require_count(f"{where}: min_training_epochs", self.min_training_epochs)
        require_number(f"{where}: min_improvement", self.min_improvement)
        require_count(f"{where}: shadow_epochs", self.shadow_epochs, 1)
        require_number(f"{where}: max_contribution_spread", self.max_contribution_spread, 0.0)
        require_number(f"{where}: min_contribution", self.min_contribution)
        require_count(f"{where}: contribution_epochs", self.contribution_epochs, 1)
        require_number(f"{where}: contribution_errors", self.contribution_errors, 0.0)

    def gradient_ratio_for(self, topology: str, blueprint_id: str) -> float:
        """Return the threshold of G2 for one blueprint."""
        if (topology, blueprint_id) in self.gradient_ratios:
            return self.gradient_ratios[topology, blueprint_id]
        return self.gradient_ratio

    def is_near(self, ratio: float, threshold: float) -> bool:
        """Return whether `ratio` lies within `near_fraction` of `threshold`, on either side."""
        return abs(ratio - threshold) <= self.near_fraction * threshold


@dataclass(frozen=True)
class GateResult:
    """What a gate said. `score` is the share of its checks that passed, in [0, 1].

    `notes` name what the gate saw that decides nothing here. `ranks_differing` are the ranks of a
    distributed run whose own evidence said otherwise.
    """

    gate: GateLevel
    passed: bool
    score: float
    checks_passed: tuple[str, ...]
    checks_failed: tuple[str, ...]
    message: str
    notes: tuple[str, ...] = ()
    ranks_differing: tuple[int, ...] = ()


@dataclass(frozen=True)
class Check:
    """One question of a gate, by name, and its answer in words and numbers.

    A check whose evidence is missing has failed, under a name that says what is missing.
    """

    name: str
    passed: bool
    found: str


GateCheck = Callable[[SeedState, GateThresholds], Check]


def _has_blueprint(state: SeedState, _thresholds: GateThresholds) -> Check:
    return Check("blueprint_exists", state.blueprint_id is not None, f"{state.blueprint_id}")


def _has_seed(state: SeedState, _thresholds: GateThresholds) -> Check:
    return Check("seed_exists", state.seed_id is not None, f"{state.seed_id}")


def _keeps_shape(state: SeedState, _thresholds: GateThresholds) -> Check:
    probe = state.shape_probe
    if probe is None:
        return Check("shape_unprobed", False, "the seed was not tried on features")
    return Check("shape_kept", probe.failure is None, probe.failure or f"{probe.shape}")


def _looks_only_back(state: SeedState, _thresholds: GateThresholds) -> Check:
    found = "a position reads a later one" if state.looks_ahead else "no position reads a later one"
    return Check("causal", state.looks_ahead is not True, found)


def _trained_long_enough(state: SeedState, thresholds: GateThresholds) -> Check:
    epochs, wanted = state.epochs_in_stage, thresholds.min_training_epochs
    return Check("epochs_in_stage", epochs >= wanted, f"{epochs} of {wanted} epochs")


def _improved(state: SeedState, thresholds: GateThresholds) -> Check:
    improvement = state.metrics.improvement_in_stage
    if improvement is None:
        return Check("improvement_unmeasured", False, "fewer than two accuracies in this stage")
    passed = improvement > thresholds.min_improvement
    return Check("improvement", passed, f"{improvement:.3f} over {thresholds.min_improvement}")


def _gradient_is_strong(state: SeedState, thresholds: GateThresholds) -> Check:
    ratio = state.metrics.seed_gradient_norm_ratio
    if ratio is None or not math.isfinite(ratio):
        return Check("gradient_ratio_unmeasured", False, f"ratio is {ratio}")
    if state.blueprint_id is None:
        return Check("blueprint_unknown", False, "no blueprint to look a threshold up for")
    threshold = thresholds.gradient_ratio_for(state.topology, state.blueprint_id)
    step = ratio * thresholds.learning_rate_ratio
    return Check(RATIO_CHECK, step >= threshold, f"{step:.4f} over {threshold}")


def _gradient_lasts(state: SeedState, thresholds: GateThresholds) -> Check:
    earlier, share = state.metrics.ratios_in_stage[:-1], thresholds.relative_gradient_ratio
    if share == 0.0 or not earlier:
        return Check("gradient_lasts", share == 0.0, f"{len(earlier)} earlier ratios in this stage")
    latest, wanted = state.metrics.ratios_in_stage[-1], share * fmean(earlier)
    return Check("gradient_lasts", latest >= wanted, f"{latest:.4f} over {wanted:.4f}")


def _alpha_holds(state: SeedState, _thresholds: GateThresholds) -> Check:
    controller = state.controller
    found = f"alpha {controller.alpha} of {controller.alpha_target}, {controller.alpha_mode}"
    return Check("alpha_holds_target", controller.holds_target, found)


def _alpha_is_full(state: SeedState, _thresholds: GateThresholds) -> Check:
    # What the next stage shows the host is alpha = 1: holding at less would be a jump there.
    return Check("alpha_is_full", state.controller.alpha == 1.0, f"{state.controller.alpha}")


def _contribution_is_stable(state: SeedState, thresholds: GateThresholds) -> Check:
    window = state.metrics.contributions_in_stage[-thresholds.shadow_epochs :]
    missing = _missing_evidence(window, thresholds.shadow_epochs)
    if missing is not None:
        return missing
    spread = max(window) - min(window)
    passed = spread <= thresholds.max_contribution_spread
    return Check("contribution_stable", passed, f"spread {spread:.3f}")


def _contributes(state: SeedState, thresholds: GateThresholds) -> Check:
    measured, count = state.metrics.contributions_in_stage, thresholds.contribution_epochs
    if not measured:
        return Check("contribution_unmeasured", False, "no counterfactual in this stage")
    missing = _missing_evidence(measured[-count:], count)
    if missing is not None:
        return missing
    contribution, wanted = fmean(measured[-count:]), thresholds.min_contribution
    error = stdev(measured[-count:]) / math.sqrt(count) if count > 1 else 0.0
    if contribution < wanted:
        return Check("contribution", False, f"mean {contribution:.3f}, expected {wanted}")
    found = f"mean {contribution:.3f} over {wanted}, standard error {error:.3f}"
    # A host may accept a loss on purpose: then the mean has to be clear of that loss, not of 0.
    lowest = contribution - thresholds.contribution_errors * error
    certain = lowest >= min(0.0, wanted)
    return Check("contribution" if certain else "contribution_uncertain", certain, found)


def _missing_evidence(window: list[float], wanted: int) -> Check | None:
    """Return the failed check of a window that is too short or not finite, otherwise None."""
    if len(window) < wanted:
        found = f"{len(window)} of {wanted} measurements"
        return Check("contribution_window_incomplete", False, found)
    if not all(math.isfinite(contribution) for contribution in window):
        return Check("contribution_not_finite", False, f"{window}")
    return None


def _is_healthy(state: SeedState, _thresholds: GateThresholds) -> Check:
    healthy = state.metrics.seed_is_healthy
    if healthy is None:
        return Check("health_unmeasured", False, "the seed's parameters were not looked at")
    return Check("seed_healthy", healthy, "finite" if healthy else "not finite")


GATE_CHECKS: dict[GateLevel, tuple[GateCheck, ...]] = {
    GateLevel.G0: (_has_blueprint, _has_seed),
    GateLevel.G1: (_keeps_shape, _looks_only_back),
    GateLevel.G2: (_trained_long_enough, _improved, _gradient_is_strong, _gradient_lasts),
    GateLevel.G3: (_alpha_holds, _alpha_is_full),
    GateLevel.G4: (_contribution_is_stable,),
    GateLevel.G5: (_contributes, _is_healthy),
}


@dataclass(frozen=True)
class QualityGates:
    """Judges a seed's evidence. Reads it, changes nothing, and never passes for want of it."""

    thresholds: GateThresholds = field(default_factory=GateThresholds)

    def check_gate(self, state: SeedState, target_stage: SeedStage) -> GateResult:
        """Return what the gate of `target_stage` says about `state`."""
        if target_stage not in GATE_OF_STAGE:
            guarded = ", ".join(stage.name for stage in GATE_OF_STAGE)
            raise GateError(f"no gate leads to {target_stage!r}; gates guard {guarded}")
        return self.judge(state, GATE_OF_STAGE[target_stage])

    def judge(self, state: SeedState, gate: GateLevel) -> GateResult:
        """Return the decision of `gate`.

        A level that does not exist is an error, never a pass.
        """
        if gate not in GATE_CHECKS:
            raise GateError(
                f"gate {gate!r} does not exist; gates are {', '.join(GateLevel.__members__)}"
            )
        checks = [check(state, self.thresholds) for check in GATE_CHECKS[gate]]
        failed = [check for check in checks if not check.passed]
        reasons = "; ".join(f"{check.name}: {check.found}" for check in failed or checks)
        return GateResult(
            gate=gate,
            passed=not failed,
            score=1.0 - len(failed) / len(checks),
            checks_passed=tuple(check.name for check in checks if check.passed),
            checks_failed=tuple(check.name for check in failed),
            message=f"{gate.name} {'failed' if failed else 'passed'}: {reasons}",
            notes=self._notes(state) if gate is GateLevel.G5 else (),
        )

    def _notes(self, state: SeedState) -> tuple[str, ...]:
        latest = state.metrics.contributions_in_stage[-1:]
        return (FALLEN,) if latest and latest[0] < self.thresholds.min_contribution else ()
