"""Policies see every slot, answer with actions, and a life does what they decide."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from esper_ref import AlphaAlgorithm, EvidenceDriven, Observation, RoundRobin, SeedSlot, SeedStage
from esper_ref.errors import PolicyError
from esper_ref.policy import Cull, Germinate, RampDown, SlotObservation, observe, require_slot

BEGINNING = RoundRobin(("norm", "conv_light"), warm_up=2, longest_life=10)
EMPTY = SlotObservation("r0c0", SeedStage.DORMANT, 0, 0, None, 0.0, None, None, None)
OTHER = replace(EMPTY, slot_id="r0c1")
TRYING = replace(EMPTY, stage=SeedStage.TRAINING, blueprint_id="norm", seeds_germinated=1)
PROVING = replace(TRYING, stage=SeedStage.PROBATIONARY, alpha=1.0, contribution=0.2)


def seen(*slots: SlotObservation, epoch: int = 3) -> Observation:
    return Observation(epoch, 20, 50.0, slots)


def test_round_robin_has_one_seed_on_trial() -> None:
    assert list(BEGINNING.decide(seen(EMPTY, OTHER))) == [Germinate("r0c0", "norm")]
    assert not list(BEGINNING.decide(seen(TRYING, OTHER)))


def test_a_slot_tries_the_blueprints_in_order_and_then_none() -> None:
    once, twice = replace(EMPTY, seeds_germinated=1), replace(EMPTY, seeds_germinated=2)
    assert list(BEGINNING.decide(seen(once))) == [Germinate("r0c0", "conv_light")]
    assert not list(BEGINNING.decide(seen(twice)))


@pytest.mark.parametrize(("epoch", "begins"), [(2, False), (3, True), (11, True), (12, False)])
def test_a_seed_begins_after_the_warm_up_and_early_enough(epoch: int, *, begins: bool) -> None:
    for policy in (BEGINNING, EvidenceDriven(BEGINNING)):
        assert bool(list(policy.decide(seen(EMPTY, epoch=epoch)))) is begins


def test_evidence_allows_several_seeds() -> None:
    third = replace(EMPTY, slot_id="r0c2")
    policy = EvidenceDriven(BEGINNING, most_on_trial=2)
    germinated = [Germinate("r0c0", "norm"), Germinate("r0c1", "norm")]
    assert list(policy.decide(seen(EMPTY, OTHER, third))) == germinated
    assert list(policy.decide(seen(TRYING, OTHER, third))) == germinated[1:]


def test_a_seed_with_a_closed_gate_is_ramped_down() -> None:
    policy = EvidenceDriven(BEGINNING)
    closed, ajar = replace(PROVING, gate_mean=0.01), replace(PROVING, gate_mean=0.2)
    assert list(policy.decide(seen(closed))) == [RampDown("r0c0", 2, "the gate lets 0.010 through")]
    assert not list(policy.decide(seen(ajar)))


def test_a_seed_that_harms_is_ramped_down() -> None:
    policy = EvidenceDriven(BEGINNING)
    (action,) = policy.decide(seen(replace(PROVING, contribution=-1.5)))
    assert action == RampDown("r0c0", 2, "contribution -1.50")
    assert not list(policy.decide(seen(replace(PROVING, contribution=-0.5))))


@pytest.mark.parametrize(
    ("ratio", "epochs", "culled"),
    [(0.001, 3, True), (0.001, 2, False), (0.1, 9, False), (None, 9, False)],
)
def test_a_silent_seed_is_culled_after_the_patience(
    ratio: float | None, epochs: int, *, culled: bool
) -> None:
    slot = replace(TRYING, gradient_ratio=ratio, epochs_in_stage=epochs)
    actions = [a for a in EvidenceDriven(BEGINNING).decide(seen(slot)) if isinstance(a, Cull)]
    assert bool(actions) is culled


def test_an_observation_holds_what_the_slot_measured() -> None:
    slot = SeedSlot("r0c0", 4)
    assert observe(slot) == EMPTY
    slot.germinate("norm", alpha_algorithm=AlphaAlgorithm.GATE)
    slot.advance_stage()
    slot.state.metrics.record_counterfactual(1.5)
    with slot.force_alpha(0.5):
        slot(torch.randn(2, 4, 3, 3)).sum().backward()
    slot.record_gradients(torch.nn.Linear(2, 2))
    found = observe(slot)
    assert (found.stage, found.blueprint_id, found.contribution) == (
        SeedStage.TRAINING,
        "norm",
        1.5,
    )
    assert found.gate_mean == pytest.approx(slot.state.metrics.gate_statistics.mean.item())
    assert found.is_on_trial
    assert found.gradient_ratio is not None


def test_an_action_on_a_slot_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(PolicyError, match="expected one of the slots r0c0"):
        require_slot([SeedSlot("r0c0", 4)], Cull("r9c9", "no such slot"))
