"""The gates: what passes, what fails and why."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from support.slots_in_stages import make_slot, walk_to

from esper_ref import (
    AlphaController,
    AlphaMode,
    GateLevel,
    GateResult,
    GateThresholds,
    QualityGates,
    SeedMetrics,
    SeedStage,
    SeedState,
)
from esper_ref.errors import GateError
from esper_ref.gates import GATE_CHECKS, GATE_OF_STAGE
from esper_ref.lifecycle import ShapeProbe

FULL = AlphaController(alpha=1.0, alpha_start=0.0, alpha_target=1.0)
GATES = QualityGates()


def good_state() -> SeedState:
    """Evidence that every gate passes."""
    metrics = SeedMetrics(
        current_accuracy=70.0,
        accuracy_at_stage_start=60.0,
        best_accuracy_in_stage=71.0,
        seed_gradient_norm_ratio=0.5,
        counterfactual_contribution=2.0,
        contributions_in_stage=[2.0, 2.5, 2.2, 2.1, 2.4],
        seed_is_healthy=True,
    )
    return SeedState(
        "r0c0",
        "cnn",
        epochs_in_stage=3,
        seed_id="s",
        blueprint_id="norm",
        controller=FULL,
        metrics=metrics,
        shape_probe=ShapeProbe((2, 8, 4, 4), None),
    )


@pytest.mark.parametrize("target", GATE_OF_STAGE)
def test_a_gate_passes_on_good_evidence(target: SeedStage) -> None:
    result = GATES.check_gate(good_state(), target)
    assert result.passed
    assert result.gate is GATE_OF_STAGE[target]
    assert result.score == 1.0
    assert result.checks_failed == ()
    assert result.checks_passed


@pytest.mark.parametrize(
    ("target", "failed"),
    [
        (SeedStage.GERMINATED, ("blueprint_exists", "seed_exists")),
        (SeedStage.TRAINING, ("shape_unprobed",)),
        (
            SeedStage.BLENDING,
            ("epochs_in_stage", "improvement_unmeasured", "gradient_ratio_unmeasured"),
        ),
        (SeedStage.SHADOWING, ("alpha_is_full",)),
        (SeedStage.PROBATIONARY, ("contribution_window_incomplete",)),
        (SeedStage.FOSSILIZED, ("contribution_unmeasured", "health_unmeasured")),
    ],
)
def test_a_gate_without_its_evidence_fails_and_names_it(
    target: SeedStage, failed: tuple[str, ...]
) -> None:
    result = GATES.check_gate(SeedState("r0c0", "cnn"), target)
    assert not result.passed
    assert result.checks_failed == failed
    assert all(name in result.message for name in failed)


def flawed(change: Callable[[SeedState], object]) -> SeedState:
    state = good_state()
    change(state)
    return state


def put(name: str, value: object) -> Callable[[SeedState], object]:
    return lambda state: setattr(state.metrics, name, value)


NAN = math.nan
RAMPING = AlphaController(0.5, 0.0, 1.0, AlphaMode.UP)


@pytest.mark.parametrize(
    ("target", "change", "failed"),
    [
        ("TRAINING", lambda s: setattr(s, "shape_probe", ShapeProbe((1,), "no")), "shape_kept"),
        ("BLENDING", lambda s: setattr(s, "epochs_in_stage", 2), "epochs_in_stage"),
        ("BLENDING", put("best_accuracy_in_stage", 60.0), "improvement"),
        ("BLENDING", put("seed_gradient_norm_ratio", 0.049), "gradient_ratio"),
        ("BLENDING", put("seed_gradient_norm_ratio", 0.0), "gradient_ratio"),
        ("BLENDING", put("seed_gradient_norm_ratio", math.nan), "gradient_ratio_unmeasured"),
        ("BLENDING", put("seed_gradient_norm_ratio", math.inf), "gradient_ratio_unmeasured"),
        ("SHADOWING", lambda s: setattr(s, "controller", RAMPING), "alpha_holds_target"),
        ("PROBATIONARY", put("contributions_in_stage", [1.0, 7.0, 1.0]), "contribution_stable"),
        ("PROBATIONARY", put("contributions_in_stage", [1.0, NAN, 1.0]), "contribution_not_finite"),
        ("FOSSILIZED", put("contributions_in_stage", 5 * [0.4]), "contribution"),
        ("FOSSILIZED", put("contributions_in_stage", [*4 * [1.0], NAN]), "contribution_not_finite"),
        ("FOSSILIZED", put("seed_is_healthy", False), "seed_healthy"),
    ],
)
def test_a_gate_fails_on_one_bad_piece_of_evidence(
    target: str, change: Callable[[SeedState], object], failed: str
) -> None:
    result = GATES.check_gate(flawed(change), SeedStage[target])
    assert not result.passed
    assert failed in result.checks_failed
    assert result.score < 1.0


def test_stability_is_asked_of_the_last_measurements_only() -> None:
    state = flawed(put("contributions_in_stage", [50.0, 1.0, 1.0, 1.0]))
    assert GATES.check_gate(state, SeedStage.PROBATIONARY).passed


@pytest.mark.parametrize("target", [s for s in SeedStage if s not in GATE_OF_STAGE])
def test_a_stage_without_a_gate_is_an_error(target: SeedStage) -> None:
    with pytest.raises(GateError, match="no gate leads to"):
        GATES.check_gate(good_state(), target)


Judge = Callable[[SeedState, int], GateResult]


def assert_knows_its_levels(judge: Judge) -> None:
    for level in (-1, 6, 99):
        try:
            result = judge(good_state(), level)
        except GateError:
            continue
        raise AssertionError(f"level {level} got {result}")


def test_an_unknown_level_is_an_error_and_never_a_pass() -> None:
    assert_knows_its_levels(GATES.judge)  # type: ignore[arg-type]  # that is the point


def test_the_test_above_sees_a_default_case_that_passes() -> None:
    def lenient(state: SeedState, level: int) -> GateResult:
        if level in GATE_CHECKS:
            return GATES.judge(state, GateLevel(level))
        return GateResult(GateLevel.G0, True, 1.0, (), (), "nothing to check")

    with pytest.raises(AssertionError, match="level -1 got"):
        assert_knows_its_levels(lenient)


class NoDelta(SeedMetrics):
    @property
    def blending_delta(self) -> float | None:
        raise AssertionError("a gate read blending_delta")


def test_no_gate_reads_the_blending_delta() -> None:
    for measured in (good_state().metrics, SeedMetrics()):
        state = good_state()
        state.metrics = NoDelta(**vars(measured))
        for level in GateLevel:
            assert GATES.judge(state, level).gate is level


def test_a_threshold_is_that_of_its_topology_and_blueprint_or_the_default() -> None:
    thresholds = GateThresholds(gradient_ratios={("cnn", "norm"): 0.7})
    assert thresholds.gradient_ratio_for("cnn", "norm") == 0.7
    assert thresholds.gradient_ratio_for("transformer", "norm") == 0.05
    assert thresholds.gradient_ratio_for("cnn", "attention") == 0.05
    assert not QualityGates(thresholds).check_gate(good_state(), SeedStage.BLENDING).passed
    state = good_state()
    state.topology = "transformer"
    assert QualityGates(thresholds).check_gate(state, SeedStage.BLENDING).passed


@pytest.mark.parametrize(
    ("ratio", "near"), [(0.039, False), (0.041, True), (0.05, True), (0.059, True), (0.061, False)]
)
def test_near_is_within_a_fifth_of_the_threshold(ratio: float, near: bool) -> None:
    assert GateThresholds().is_near(ratio, 0.05) is near


def test_a_failed_gate_leaves_the_slot_where_it_is() -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, SeedStage.TRAINING)
    result = slot.advance_stage()
    assert not result.passed
    assert slot.state.stage is SeedStage.TRAINING


def test_the_best_accuracy_of_a_stage_is_not_that_of_the_stage_before() -> None:
    metrics = SeedMetrics()
    for percent in (50.0, 80.0, 60.0):
        metrics.record_accuracy(percent)
    metrics.begin_stage(SeedStage.TRAINING)
    metrics.record_accuracy(55.0)
    assert metrics.improvement_in_stage == -5.0


def test_the_relative_threshold_reads_the_ratios_of_the_stage() -> None:
    metrics = SeedMetrics()
    metrics.record_gradient_ratio(0.5)
    metrics.begin_stage(SeedStage.BLENDING)
    assert metrics.ratios_in_stage == []
