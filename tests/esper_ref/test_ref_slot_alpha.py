"""Alpha as the slot shows it, and the learned gate of a slot."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.slots_in_stages import (
    LIVELY,
    TOPOLOGIES,
    features,
    give_evidence,
    make_model,
    make_slot,
    redraw,
    walk_to,
)
from torch import nn

from esper_ref import (
    AlphaAlgorithm,
    AlphaCurve,
    GateStatistics,
    IsolationPolicy,
    SeedSlot,
    SeedStage,
)
from esper_ref.errors import AlphaError, SlotError
from esper_ref.isolation import seed_input_of


def in_blending() -> SeedSlot:
    slot = make_slot("cnn", "norm")
    walk_to(slot, SeedStage.BLENDING)
    slot.set_alpha(0.5)
    return slot


@pytest.mark.parametrize("nonsense", [math.nan, -0.01, 1.01, math.inf])
def test_an_alpha_that_is_none_is_refused_and_the_old_one_stays(nonsense: float) -> None:
    slot = in_blending()
    with pytest.raises(AlphaError, match="expected a number in"):
        slot.set_alpha(nonsense)
    with pytest.raises(AlphaError), slot.force_alpha(nonsense):
        raise AssertionError("the block was entered")
    assert slot.alpha.item() == 0.5


def test_alpha_follows_a_snap_in_the_same_call() -> None:
    slot = in_blending()
    slot.retarget_alpha(alpha_target=0.9, alpha_steps_total=0)
    assert slot.alpha.item() == pytest.approx(0.9, abs=1e-7)  # a float32
    slot = make_slot("cnn")
    slot.germinate("norm", blend_epochs=0)
    walk_to(slot, SeedStage.TRAINING)
    give_evidence(slot)
    slot.step_epoch()
    assert slot.state.stage is SeedStage.BLENDING
    assert slot.alpha.item() == 1.0


def test_alpha_can_be_led_down_and_up_again_and_ends_at_its_target() -> None:
    slot = in_blending()
    seen = []
    for target in (0.1, 1.0):
        slot.retarget_alpha(alpha_target=target, alpha_steps_total=3, alpha_curve=AlphaCurve.COSINE)
        for _ in range(3):
            result = slot.step_epoch()
            seen.append(slot.alpha.item())
    assert seen[:3] == sorted(seen[:3], reverse=True)
    assert seen[2:] == sorted(seen[2:])
    assert result is not None
    assert result.passed
    assert slot.state.stage is SeedStage.SHADOWING


def test_holding_at_less_than_full_does_not_pass_g3() -> None:
    slot = in_blending()
    result = slot.step_epoch()
    assert result is not None
    assert result.checks_failed == ("alpha_is_full",)
    assert slot.alpha.item() == 0.5


Move = Callable[[SeedSlot, float, int], object]
MOVES: dict[str, Move] = {
    "set": lambda slot, a, _n: slot.set_alpha(a),
    "ramp": lambda slot, a, n: slot.retarget_alpha(alpha_target=a, alpha_steps_total=n),
    "epoch": lambda slot, _a, _n: slot.step_epoch(),
    "force": lambda slot, a, _n: slot.override_alpha(a),
    "release": lambda slot, _a, _n: slot.override_alpha(None),
}


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(sorted(MOVES)), st.floats(0.0, 1.0), st.integers(0, 3)),
        max_size=12,
    )
)
def test_after_any_moves_the_slot_shows_its_controllers_alpha_or_the_forced_one(
    moves: list[tuple[str, float, int]],
) -> None:
    slot = in_blending()
    for name, a, n in moves:
        refused = (AlphaError, SlotError)  # a ramp is on, or alpha is full and blending is over
        with contextlib.suppress(*refused):
            MOVES[name](slot, a, n)
        timeline = slot.state.controller.alpha
        shown = timeline if slot.forced_alpha is None else slot.forced_alpha
        assert slot.alpha.item() == torch.tensor(shown).item()
        assert slot.state.metrics.current_alpha == timeline
        assert 0.0 <= timeline <= 1.0


@pytest.mark.parametrize("stage", [SeedStage.TRAINING, SeedStage.SHADOWING, SeedStage.FOSSILIZED])
def test_alpha_is_set_only_while_blending(stage: SeedStage) -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, stage)
    with pytest.raises(SlotError, match="is for BLENDING"):
        slot.set_alpha(0.5)
    with pytest.raises(SlotError, match="is for BLENDING"):
        slot.retarget_alpha(alpha_target=0.5, alpha_steps_total=1)


def train_seed(slot: SeedSlot, parameters: list[nn.Parameter]) -> None:
    optimizer = torch.optim.SGD(parameters, lr=0.5)
    h, target = features(slot.topology), features(slot.topology)
    for _ in range(4):  # at birth the seed is the host, and what gates nothing learns nothing
        optimizer.zero_grad()
        (slot(h) - target).square().mean().backward()
        optimizer.step()


def moved(slot: SeedSlot, parameters: Callable[[], list[nn.Parameter]]) -> bool:
    assert slot.gate is not None
    before = [p.detach().clone() for p in slot.gate.parameters()]
    train_seed(slot, parameters())
    return any(not torch.equal(p, q) for p, q in zip(before, slot.gate.parameters(), strict=True))


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_gate_is_trained_with_its_seed(topology: str) -> None:
    model = make_model(topology)
    model.germinate_seed(LIVELY[topology], slot="r0c0", alpha_algorithm=AlphaAlgorithm.GATE)
    slot = make_slot(topology, LIVELY[topology], algorithm=AlphaAlgorithm.GATE)
    walk_to(slot, SeedStage.BLENDING)
    assert moved(slot, lambda: list(slot.parameters()))
    listed = {id(p) for p in model.get_seed_parameters("r0c0")}
    gate = model.slot("r0c0").gate
    assert gate is not None
    assert {id(p) for p in gate.parameters()} <= listed


def test_the_test_above_sees_a_gate_that_is_not_in_the_optimizer() -> None:
    slot = make_slot("cnn", "conv_light", algorithm=AlphaAlgorithm.GATE)
    walk_to(slot, SeedStage.BLENDING)
    assert not moved(slot, lambda: list(slot.get_submodule("seed").parameters()))


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_forward_leaves_the_gates_statistics_for_a_policy_to_see(topology: str) -> None:
    slot = make_slot(topology, LIVELY[topology], algorithm=AlphaAlgorithm.GATE)
    redraw(slot.parameters())
    assert slot.state.metrics.gate_statistics is None
    walk_to(slot, SeedStage.BLENDING)
    seen = []
    for _ in range(2):
        h = features(topology)
        slot(h)
        statistics = slot.state.metrics.gate_statistics
        assert statistics is not None
        assert not statistics.mean.requires_grad
        assert slot.gate is not None
        again = GateStatistics.of(slot.gate.get_alpha_for_blend(h))
        assert statistics.to_dict() == again.to_dict()
        seen.append(statistics.to_dict())
    assert seen[0] != seen[1]


def test_the_gate_hears_the_host_only_where_the_policy_couples_them() -> None:
    for coupled in (False, True):
        policy = IsolationPolicy()
        if coupled:
            policy = policy.with_coupling("cnn", SeedStage.BLENDING)
        slot = make_slot("cnn", "noop", algorithm=AlphaAlgorithm.GATE)
        slot.isolation = policy
        walk_to(slot, SeedStage.BLENDING)
        h = features("cnn").requires_grad_()
        slot(h)
        assert slot.gate is not None
        gate = slot.gate.get_alpha_for_blend(seed_input_of(h, isolated=slot.isolated))
        assert gate.requires_grad
        (gradient,) = torch.autograd.grad(gate.sum(), h, allow_unused=True)
        assert (gradient is not None) is coupled


def test_a_seed_that_returns_nan_is_not_felt_at_a_forced_alpha_of_0() -> None:
    slot = in_blending()
    for parameter in slot.parameters():
        parameter.data.fill_(math.nan)
    h = features("cnn")
    assert not torch.isfinite(slot(h)).all()
    with slot.force_alpha(0.0):
        assert torch.equal(slot(h), h)


def test_the_statistics_of_a_gate_end_with_its_seed() -> None:
    slot = make_slot("cnn", "norm", algorithm=AlphaAlgorithm.GATE)
    walk_to(slot, SeedStage.BLENDING)
    slot(features("cnn"))
    assert slot.state.metrics.gate_statistics is not None
    slot.cull("enough")
    assert slot.state.metrics.gate_statistics is None
