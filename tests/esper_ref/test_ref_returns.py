"""The ways back: from PROBATIONARY to BLENDING, and out of the host along a ramp."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from esper_ref import LifecycleTiming, SeedSlot, SeedStage, SlotRules
from esper_ref.errors import IllegalTransitionError, RulesError, SlotError

STABLE = 2.0  # points of accuracy, over the threshold of G5


def on_probation(rules: SlotRules | None = None) -> SeedSlot:
    slot = SeedSlot("r0c0", 4) if rules is None else SeedSlot("r0c0", 4, rules=rules)
    slot.germinate("norm")
    slot.advance_stage()
    slot.state.metrics.record_accuracy(50.0)
    while slot.state.stage is not SeedStage.PROBATIONARY:
        slot.state.metrics.record_accuracy(60.0)
        slot.state.metrics.seed_gradient_norm_ratio = 1.0
        slot.state.metrics.record_counterfactual(STABLE)
        slot.step_epoch()
    return slot


def pass_epoch(slot: SeedSlot, contribution: float) -> None:
    slot.state.metrics.record_counterfactual(contribution)
    slot.step_epoch()


def test_a_contribution_under_the_threshold_leads_back_with_alpha_kept() -> None:
    slot = on_probation()
    pass_epoch(slot, STABLE)
    assert slot.state.stage is SeedStage.PROBATIONARY
    pass_epoch(slot, 0.1)
    assert slot.state.stage is SeedStage.BLENDING
    assert slot.state.controller.alpha == 1.0
    assert slot.alpha.item() == 1.0
    assert slot.state.metrics.contributions_in_stage == []
    assert slot.state.returns == 1


def test_the_way_back_is_taken_twice_at_most() -> None:
    slot = on_probation()
    for times in (1, 2):
        pass_epoch(slot, 0.1)
        assert (slot.state.stage, slot.state.returns) == (SeedStage.BLENDING, times)
        while slot.state.stage is not SeedStage.PROBATIONARY:
            pass_epoch(slot, STABLE)
    pass_epoch(slot, 0.1)
    assert slot.state.stage is SeedStage.PROBATIONARY
    for _ in range(slot.rules.timing.probation_timeout):
        pass_epoch(slot, 0.1) if slot.is_active else None
    assert not slot.is_active


def test_the_way_back_can_be_closed() -> None:
    slot = on_probation(SlotRules(timing=LifecycleTiming(most_returns=0)))
    pass_epoch(slot, 0.1)
    assert slot.state.stage is SeedStage.PROBATIONARY
    with pytest.raises(RulesError, match="most_returns"):
        LifecycleTiming(most_returns=-1)


def test_no_gate_leads_back() -> None:
    slot = on_probation()
    with pytest.raises(IllegalTransitionError, match="from PROBATIONARY to BLENDING"):
        slot.advance_stage(SeedStage.BLENDING)


def test_what_g5_decides_is_no_matter_of_one_measurement() -> None:
    slot = on_probation()
    for _ in range(4):
        pass_epoch(slot, STABLE)
    slot.state.metrics.record_counterfactual(0.4)
    result = slot.advance_stage()
    assert result.passed
    assert result.notes == ("contribution_fell",)


def test_a_ramp_down_ends_in_a_cull() -> None:
    slot = on_probation()
    slot.ramp_down(4, "the gate is closed")
    alphas = [slot.alpha.item()]
    while slot.is_active:
        assert slot.state.stage is SeedStage.BLENDING
        assert slot.step_epoch() is None
        alphas.append(slot.alpha.item())
    assert alphas == sorted(alphas, reverse=True)
    assert len(alphas) == 5
    assert (alphas[0], alphas[-1]) == (1.0, 0.0)
    assert slot.state.stage is SeedStage.CULLED


def test_a_ramp_down_may_begin_in_the_middle_of_the_ramp_up() -> None:
    slot = on_probation()
    slot.state.transition(SeedStage.BLENDING)
    slot.set_alpha(0.0)
    slot.retarget_alpha(alpha_target=1.0, alpha_steps_total=4)
    slot.step_epoch()
    begun = slot.alpha.item()
    assert 0.0 < begun < 1.0
    slot.ramp_down(2, "no use")
    slot.step_epoch()
    assert 0.0 < slot.alpha.item() < begun
    slot.step_epoch()
    assert not slot.is_active


def test_nothing_else_moves_alpha_while_it_is_ramped_down() -> None:
    slot = on_probation()
    slot.ramp_down(3, "no use")
    for call in (
        lambda: slot.set_alpha(1.0),
        lambda: slot.retarget_alpha(alpha_target=1.0, alpha_steps_total=2),
        lambda: slot.ramp_down(1, "again"),
    ):
        with pytest.raises(SlotError, match="ramped down to 0"):
            call()


def test_a_seed_that_is_not_blended_cannot_be_ramped_down() -> None:
    slot = SeedSlot("r0c0", 4)
    slot.germinate("norm")
    with pytest.raises(SlotError, match="ramp_down is for BLENDING"):
        slot.ramp_down(3, "no use")


def test_a_ramp_down_goes_on_after_a_checkpoint() -> None:
    slot = on_probation()
    slot.ramp_down(3, "no use")
    slot.step_epoch()
    other = SeedSlot("r0c0", 4)
    other.load_state_dict(slot.state_dict())
    for _ in range(2):
        slot.step_epoch()
        other.step_epoch()
        assert torch.equal(slot.alpha, other.alpha)
    assert not slot.is_active
    assert not other.is_active


def test_a_gradient_that_dies_away_does_not_pass_g2_where_that_is_asked() -> None:
    for share, passed in ((0.0, True), (0.5, False)):
        rules = SlotRules()
        thresholds = replace(rules.gates.thresholds, relative_gradient_ratio=share)
        slot = SeedSlot(
            "r0c0", 4, rules=replace(rules, gates=replace(rules.gates, thresholds=thresholds))
        )
        slot.germinate("norm")
        slot.advance_stage()
        metrics = slot.state.metrics
        slot.state.epochs_in_stage = 3
        metrics.record_accuracy(50.0)
        metrics.record_accuracy(60.0)
        for ratio in (1.0, 1.0, 0.1):
            metrics.record_gradient_ratio(ratio)
        result = rules.gates.__class__(thresholds).check_gate(slot.state, SeedStage.BLENDING)
        assert result.passed is passed
        assert ("gradient_lasts" in result.checks_failed) is not passed


def test_the_ratio_of_learning_rates_scales_what_g2_compares() -> None:
    rules = SlotRules()
    thresholds = replace(rules.gates.thresholds, learning_rate_ratio=0.1)
    slot = on_probation()
    metrics = slot.state.metrics
    metrics.record_gradient_ratio(0.2)  # 0.02 of a step, under the threshold of 0.05
    result = type(rules.gates)(thresholds).check_gate(slot.state, SeedStage.BLENDING)
    assert "gradient_ratio" in result.checks_failed
    assert "gradient_ratio" in rules.gates.check_gate(slot.state, SeedStage.BLENDING).checks_passed


def test_the_relative_threshold_is_a_share_of_the_ratios_before_the_latest() -> None:
    thresholds = replace(SlotRules().gates.thresholds, relative_gradient_ratio=0.5)
    slot = on_probation()
    for ratio in (1.0, 0.49):  # under half of 1.0, and over half of the mean of both
        slot.state.metrics.record_gradient_ratio(ratio)
    result = type(SlotRules().gates)(thresholds).check_gate(slot.state, SeedStage.BLENDING)
    assert "gradient_lasts" in result.checks_failed


def test_the_returns_that_were_used_up_stay_used_up_after_a_checkpoint() -> None:
    slot = on_probation()
    pass_epoch(slot, STABLE)
    pass_epoch(slot, 0.1)
    other = SeedSlot("r0c0", 4)
    other.load_state_dict(slot.state_dict())
    assert other.state.returns == slot.state.returns == 1
