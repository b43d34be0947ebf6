"""Stages, legal moves, times and what is measured of a seed."""

from __future__ import annotations

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.slots_in_stages import give_evidence, make_slot, walk_to

from esper_ref import (
    VALID_TRANSITIONS,
    LifecycleTiming,
    QualityGates,
    SeedMetrics,
    SeedStage,
    SeedState,
    SlotRules,
)
from esper_ref.errors import IllegalTransitionError, MetricError, SlotError
from esper_ref.lifecycle import ACTIVE_STAGES, PATH_OF_STAGE

MOST = tuple(s for s in SeedStage if SeedStage.GERMINATED <= s <= SeedStage.PROBATIONARY)


def test_the_numbers_of_the_stages_are_those_of_every_checkpoint_ever_written() -> None:
    assert {stage.name: int(stage) for stage in SeedStage} == {
        "DORMANT": 1,
        "GERMINATED": 2,
        "TRAINING": 3,
        "BLENDING": 4,
        "SHADOWING": 5,
        "PROBATIONARY": 6,
        "FOSSILIZED": 7,
        "CULLED": 8,
        "EMBARGOED": 9,
        "RESETTING": 10,
    }


def test_the_tables_know_every_stage() -> None:
    assert set(VALID_TRANSITIONS) == set(SeedStage)
    assert set(PATH_OF_STAGE) == set(SeedStage)


def test_every_stage_with_a_seed_but_the_last_can_be_culled() -> None:
    can = {stage for stage, targets in VALID_TRANSITIONS.items() if SeedStage.CULLED in targets}
    assert can == ACTIVE_STAGES - {SeedStage.FOSSILIZED}
    assert VALID_TRANSITIONS[SeedStage.FOSSILIZED] == frozenset()


@given(targets=st.lists(st.sampled_from(SeedStage), max_size=30))
def test_a_state_goes_where_the_table_says_and_an_illegal_move_changes_nothing(
    targets: list[SeedStage],
) -> None:
    state = SeedState("r0c0", "cnn")
    for target in targets:
        before = copy.deepcopy(state)
        if target in VALID_TRANSITIONS[before.stage]:
            state.transition(target)
            assert state.stage is target
            assert state.epochs_in_stage == 0
        else:
            with pytest.raises(IllegalTransitionError, match=before.stage.name):
                state.transition(target)
            assert state == before


@pytest.mark.parametrize("stage", MOST)
def test_a_culled_slot_is_free_after_5_epochs_of_embargo_and_one_of_reset(
    stage: SeedStage,
) -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, stage)
    slot.cull("for a test")
    assert slot.seed is None
    assert slot.alpha.item() == 0.0
    stages = []
    for _ in range(6):
        assert slot.step_epoch() is None
        stages.append(slot.state.stage.name)
    assert stages == ["EMBARGOED"] * 4 + ["RESETTING", "DORMANT"]
    assert slot.germinate("attention").passed


def test_an_occupied_or_embargoed_slot_takes_no_seed() -> None:
    slot = make_slot("cnn", "norm")
    seed = slot.seed
    for _ in range(2):
        with pytest.raises(SlotError, match="expected a DORMANT slot"):
            slot.germinate("attention")
        if slot.is_active:
            assert slot.seed is seed
            slot.cull("for a test")


def test_a_fossilized_seed_cannot_be_culled() -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, SeedStage.FOSSILIZED)
    seed = slot.seed
    with pytest.raises(IllegalTransitionError, match="it is the end"):
        slot.cull("too late")
    assert slot.state.stage is SeedStage.FOSSILIZED
    assert slot.seed is seed


def test_an_empty_slot_cannot_be_culled_or_advanced() -> None:
    slot = make_slot("cnn")
    with pytest.raises(IllegalTransitionError, match="DORMANT"):
        slot.cull("nothing there")
    with pytest.raises(IllegalTransitionError, match="left by germinate"):
        slot.advance_stage()
    assert slot.step_epoch() is None


@pytest.mark.parametrize("target", [SeedStage.FOSSILIZED, SeedStage.CULLED, SeedStage.TRAINING])
def test_no_gate_leads_past_the_next_stage(target: SeedStage) -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, SeedStage.TRAINING)
    with pytest.raises(IllegalTransitionError, match=f"TRAINING to {target.name}"):
        slot.advance_stage(target)
    assert slot.state.stage is SeedStage.TRAINING


@pytest.mark.parametrize(
    ("run_epochs", "timeout"), [(0, 5), (30, 5), (50, 5), (51, 6), (100, 10), (1000, 100)]
)
def test_probation_lasts_at_least_5_epochs_or_a_tenth_of_the_run(
    run_epochs: int, timeout: int
) -> None:
    assert LifecycleTiming(run_epochs=run_epochs).probation_timeout == timeout


def test_an_undecided_seed_is_culled_at_the_timeout_and_not_before() -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, SeedStage.PROBATIONARY)
    # Strict again: nothing contributes now.
    slot.rules = SlotRules(gates=QualityGates(), timing=LifecycleTiming(most_returns=0))
    for _ in range(4):
        slot.state.metrics.record_counterfactual(0.0)
        slot.step_epoch()
        assert slot.state.stage is SeedStage.PROBATIONARY
    slot.state.metrics.record_counterfactual(0.0)
    slot.step_epoch()
    assert slot.state.stage is SeedStage.CULLED


def test_a_seed_that_proves_itself_in_its_last_epoch_of_probation_stays() -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, SeedStage.PROBATIONARY)
    for _ in range(4):
        assert not slot.step_epoch().passed  # no counterfactual in this stage yet
    give_evidence(slot)
    slot.step_epoch()
    assert slot.state.stage is SeedStage.FOSSILIZED


@pytest.mark.parametrize("percent", [-0.1, 100.1, math.nan])
def test_an_accuracy_is_a_percentage(percent: float) -> None:
    with pytest.raises(MetricError, match="percentage"):
        SeedMetrics().record_accuracy(percent)


def test_improvement_is_unmeasured_until_there_is_something_to_compare() -> None:
    metrics = SeedMetrics()
    assert metrics.improvement_in_stage is None
    metrics.record_accuracy(40.0)
    assert metrics.improvement_in_stage is None
    metrics.record_accuracy(45.0)
    metrics.record_accuracy(43.0)
    assert metrics.improvement_in_stage == 5.0
    assert metrics.best_accuracy == 45.0
    metrics.begin_stage(SeedStage.BLENDING)
    assert metrics.improvement_in_stage is None
    metrics.record_accuracy(42.0)
    assert metrics.improvement_in_stage == -1.0


def test_the_blending_delta_mixes_in_what_the_host_learned_alone() -> None:
    # A seed that does nothing, in a host that goes on learning: the delta is not the seed's.
    slot = make_slot("cnn", "noop")
    walk_to(slot, SeedStage.TRAINING)
    slot.state.metrics.record_accuracy(60.0)
    slot.state.metrics.seed_gradient_norm_ratio = 1.0
    assert slot.state.metrics.blending_delta is None
    slot.step_epoch()
    assert slot.state.stage is SeedStage.BLENDING
    slot.state.metrics.record_accuracy(72.5)
    assert slot.state.metrics.blending_delta == 12.5


def test_what_was_measured_in_one_stage_is_no_evidence_in_the_next() -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, SeedStage.SHADOWING)
    give_evidence(slot)
    assert slot.advance_stage().passed
    assert slot.state.stage is SeedStage.PROBATIONARY
    assert slot.state.metrics.counterfactual_contribution == 1.0
    assert slot.advance_stage().checks_failed == ("contribution_unmeasured",)
