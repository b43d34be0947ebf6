"""G5 decides on a window of contributions, and a seed that learns too little is culled."""

from __future__ import annotations

import math
import random

import pytest
from support.slots_in_stages import LENIENT, give_evidence, make_slot, walk_to

from esper_ref import (
    GateResult,
    GateThresholds,
    LifecycleTiming,
    QualityGates,
    SeedSlot,
    SeedStage,
    SeedState,
    SlotRules,
    Telemetry,
)
from esper_ref.telemetry import Culled, Event

LIVES = 400


def on_probation(contributions: list[float]) -> SeedState:
    state = SeedState("r0c0", "cnn", SeedStage.PROBATIONARY, seed_id="s", blueprint_id="norm")
    state.metrics.seed_is_healthy = True
    for contribution in contributions:
        state.metrics.record_counterfactual(contribution)
    return state


def g5(contributions: list[float], **thresholds: float) -> GateResult:
    gates = QualityGates(GateThresholds(**thresholds))  # type: ignore[arg-type]  # numbers
    return gates.check_gate(on_probation(contributions), SeedStage.FOSSILIZED)


def share_fossilized(contribution: float, noise: float) -> float:
    """The share of simulated lives in which G5 opens within the 5 epochs of probation."""
    stream, gates, fossilized = random.Random(0), QualityGates(), 0
    for _ in range(LIVES):
        state = on_probation([])
        for _ in range(LifecycleTiming().probation_timeout):
            state.metrics.record_counterfactual(stream.gauss(contribution, noise))
            if gates.check_gate(state, SeedStage.FOSSILIZED).passed:
                fossilized += 1
                break
    return fossilized / LIVES


@pytest.mark.parametrize("noise", [0.25, 0.5, 1.0, 2.0])
def test_a_seed_that_contributes_nothing_is_seldom_fossilized_by_noise(noise: float) -> None:
    assert share_fossilized(0.0, noise) <= 0.03  # 2 % in 20,000 lives


def test_a_seed_that_contributes_enough_is_fossilized() -> None:
    assert share_fossilized(1.0, 0.25) >= 0.99
    assert share_fossilized(2.0, 0.5) >= 0.99
    assert share_fossilized(0.6, 0.0) == 1.0


def test_one_lucky_epoch_does_not_fossilize() -> None:
    result = g5([0.0, 0.0, 0.0, 0.0, 9.0])
    assert result.checks_failed == ("contribution_uncertain",)  # the mean is 1.8
    assert "mean 1.800" in result.message
    assert g5([0.4] * 5).checks_failed == ("contribution",)
    assert g5([0.6] * 5).passed


def test_a_window_that_is_not_full_decides_nothing() -> None:
    assert g5([]).checks_failed == ("contribution_unmeasured",)
    result = g5([9.0] * 4)
    assert result.checks_failed == ("contribution_window_incomplete",)
    assert "4 of 5 measurements" in result.message
    assert g5([9.0] * 5).passed


def test_only_the_last_contributions_of_the_stage_are_read() -> None:
    assert g5([-50.0] + [1.0] * 5).passed
    assert not g5([50.0] + [0.1] * 5).passed
    assert g5([math.nan] + [1.0] * 5).passed
    assert g5([1.0, 1.0, math.nan, 1.0, 1.0]).checks_failed == ("contribution_not_finite",)


def test_the_mean_may_lie_at_the_threshold_and_the_errors_at_their_bound() -> None:
    assert g5([0.5] * 5).passed
    window = [1.0, 3.0]  # mean 2, standard error 1
    assert g5(window, contribution_epochs=2, contribution_errors=2.0).passed
    assert not g5(window, contribution_epochs=2, contribution_errors=2.001).passed


def test_a_window_of_one_measurement_has_no_spread() -> None:
    assert g5([0.0, 0.6], contribution_epochs=1).passed
    assert not g5([0.6, 0.4], contribution_epochs=1).passed


def test_with_a_threshold_below_zero_a_loss_above_it_passes() -> None:
    assert g5([-1.0] * 5, min_contribution=-2.0).passed


def in_training(
    *, patience: int, thresholds: GateThresholds, events: list[Event] | None = None
) -> SeedSlot:
    rules = SlotRules(
        gates=QualityGates(thresholds), timing=LifecycleTiming(training_patience=patience)
    )
    telemetry = None if events is None else Telemetry(events.append)
    slot = make_slot("cnn", "norm", rules=rules, telemetry=telemetry)
    slot.advance_stage()
    return slot


def train(slot: SeedSlot, ratio: float | None) -> None:
    slot.state.metrics.seed_gradient_norm_ratio = ratio
    slot.step_epoch()


def test_a_seed_whose_ratio_stays_under_the_threshold_is_culled_after_the_patience() -> None:
    events: list[Event] = []
    slot = in_training(patience=4, thresholds=GateThresholds(), events=events)
    for _ in range(3):
        train(slot, 0.03)
        assert slot.state.stage is SeedStage.TRAINING
    train(slot, 0.03)
    assert slot.state.stage is SeedStage.CULLED
    culled = events[-1]
    assert isinstance(culled, Culled)
    assert "under its threshold for 4 epochs" in culled.reason
    assert "0.0300" in culled.reason


def test_one_epoch_over_the_threshold_begins_the_patience_anew() -> None:
    slot = in_training(patience=3, thresholds=GateThresholds())
    for ratio in (0.03, 0.03, 0.05, 0.03, 0.03):
        train(slot, ratio)  # without an improvement, so that the gate stays closed
    assert slot.state.stage is SeedStage.TRAINING
    assert slot.state.metrics.epochs_under_ratio == 2
    train(slot, 0.03)
    assert slot.state.stage is SeedStage.CULLED


def test_an_unmeasured_ratio_is_no_ratio_under_the_threshold() -> None:
    slot = in_training(patience=3, thresholds=GateThresholds())
    for ratio in (None, None, None, None, None, 0.0, 0.0):
        train(slot, ratio)
    assert slot.state.stage is SeedStage.TRAINING
    train(slot, 0.0)
    assert slot.state.stage is SeedStage.CULLED


def test_the_patience_is_of_its_stage_and_survives_a_checkpoint() -> None:
    slot = in_training(patience=3, thresholds=GateThresholds())
    train(slot, 0.03)
    train(slot, 0.03)
    other = in_training(patience=3, thresholds=GateThresholds())
    other.load_state_dict(slot.state_dict())
    train(other, 0.03)
    assert other.state.stage is SeedStage.CULLED
    slot.rules = SlotRules(gates=QualityGates(LENIENT))
    give_evidence(slot)
    give_evidence(slot)
    walk_to(slot, SeedStage.SHADOWING)
    assert slot.state.metrics.epochs_under_ratio == 0
