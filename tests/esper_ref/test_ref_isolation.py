"""Who hears whose gradient."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.slots_in_stages import (
    ACTIVE,
    ALGORITHMS,
    BLENDED,
    TOPOLOGIES,
    inputs,
    lenient_rules,
    make_model,
    make_slot,
    redraw,
    walk_to,
)
from torch import Tensor, nn

from esper_ref import (
    AlphaAlgorithm,
    IsolationPolicy,
    SeedStage,
    blend_with_isolation,
    multiply_valve_multiplier,
    ste_forward,
)
from esper_ref.errors import BlendError, SlotError
from esper_ref.isolation import seed_input_of

if TYPE_CHECKING:
    from collections.abc import Callable

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
finite = st.floats(-(2.0**100), 2.0**100, width=32)


def assert_shows_the_host_exactly(ste: Callable[[Tensor, Tensor], Tensor]) -> None:
    for dtype in DTYPES:
        for scale in (1e-3, 1.0, 1e4):
            h, s = torch.randn(99).to(dtype), (scale * torch.randn(99)).to(dtype)
            before = h.clone()  # the operator might overwrite what it is compared with
            assert torch.equal(ste(h, s), before)
            assert torch.equal(h, before)


def test_the_straight_through_output_is_the_hosts_bit_for_bit() -> None:
    assert_shows_the_host_exactly(ste_forward)


def test_the_test_above_sees_the_sum_taken_in_another_order() -> None:
    with pytest.raises(AssertionError):
        assert_shows_the_host_exactly(lambda h, s: h + s - s.detach())


def test_the_test_above_sees_a_host_overwritten_in_place() -> None:
    with pytest.raises(AssertionError):
        assert_shows_the_host_exactly(lambda h, s: h.add_(s))


@given(h=st.lists(finite, min_size=3, max_size=3), s=st.lists(finite, min_size=3, max_size=3))
def test_no_finite_seed_shows_through(h: list[float], s: list[float]) -> None:
    host = torch.tensor(h)
    assert torch.equal(ste_forward(host, torch.tensor(s)), host)


def test_host_and_seed_both_get_the_full_gradient() -> None:
    h, s = torch.randn(4, requires_grad=True), torch.randn(4, requires_grad=True)
    cotangent = torch.randn(4)
    (ste_forward(h, s) * cotangent).sum().backward()
    assert h.grad is not None
    assert s.grad is not None
    assert torch.equal(h.grad, cotangent)
    assert torch.equal(s.grad, cotangent)


def test_a_seed_of_another_dtype_leaves_the_hosts_dtype() -> None:
    h = torch.randn(4, dtype=torch.bfloat16)
    assert ste_forward(h, torch.randn(4)).dtype is torch.bfloat16


def direct_factor(algorithm: AlphaAlgorithm, s: Tensor, u: Tensor, a: Tensor, g: Tensor) -> Tensor:
    """What the host's gradient is multiplied by on the direct path, the seed frozen."""
    if algorithm is AlphaAlgorithm.ADD:
        return (1 - a).expand_as(u)
    if algorithm is AlphaAlgorithm.GATE:
        return (1 - a * g).expand_as(u)
    return multiply_valve_multiplier(a, s - u)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_behind_a_detached_input_the_host_hears_only_the_direct_path(
    algorithm: AlphaAlgorithm,
) -> None:
    h = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    seed, gating = nn.Linear(4, 4).double(), nn.Linear(4, 1).double()
    alpha = torch.tensor(0.6, dtype=torch.float64)
    u = seed_input_of(h, isolated=True)
    s, gate = seed(u), torch.sigmoid(gating(u))
    cotangent = torch.randn_like(h)
    out = blend_with_isolation(h, s, alpha, seed_input=u, algorithm=algorithm, gate=gate)
    (out * cotangent).sum().backward()
    assert h.grad is not None
    wanted = direct_factor(algorithm, s, u, alpha, gate).detach() * cotangent
    torch.testing.assert_close(h.grad, wanted, rtol=1e-14, atol=1e-14)  # lerp's 1 - w, float64
    assert seed.weight.grad is not None
    assert bool(seed.weight.grad.any())


def test_a_gated_blend_without_a_gate_is_refused() -> None:
    h = torch.randn(2, 3)
    with pytest.raises(BlendError, match="needs a gate"):
        blend_with_isolation(h, h, torch.tensor(0.5), seed_input=h, algorithm=AlphaAlgorithm.GATE)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("stage", ACTIVE)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_host_hears_the_seed_where_the_policy_says_so_and_nowhere_else(
    topology: str, stage: SeedStage, algorithm: AlphaAlgorithm
) -> None:
    blueprint = "conv_light" if topology == "cnn" else "attention"
    slot = make_slot(topology, blueprint, algorithm=algorithm).double()
    redraw(slot.parameters())
    walk_to(slot, stage)
    heard = _host_gradient(slot) != _host_gradient(slot, frozen=True)
    assert heard == (topology == "transformer" and stage in BLENDED)


def _host_gradient(slot: nn.Module, *, frozen: bool = False) -> list[float]:
    """The gradient of features before the slot; frozen: the seed's way back is cut."""
    generator = torch.Generator().manual_seed(1)
    shape = (2, 8, 4, 4) if slot.topology == "cnn" else (2, 5, 8)
    h = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
    cotangent = torch.randn(shape, generator=generator, dtype=torch.float64)
    isolated = slot.isolated
    slot.isolated = isolated or frozen
    (slot(h) * cotangent).sum().backward()
    slot.isolated = isolated
    gradient = (
        torch.zeros_like(h) if h.grad is None else h.grad
    )  # a fossil alone, cut off, has none
    return gradient.flatten().tolist()


def test_the_policy_is_isolated_for_pictures_and_coupled_for_text_by_default() -> None:
    policy = IsolationPolicy()
    for stage in BLENDED:
        assert policy.isolates("cnn", stage)
        assert not policy.isolates("transformer", stage)


@pytest.mark.parametrize("coupled", [True, False])
def test_at_full_blend_the_layers_below_an_isolated_slot_stand_still(coupled: bool) -> None:
    # The price of isolation under ADD, as the policy's documentation says.
    policy = IsolationPolicy()
    if coupled:
        policy = policy.with_coupling("cnn", SeedStage.FOSSILIZED)
    model = make_model("cnn", rules=lenient_rules(policy))
    model.germinate_seed("conv_light", slot="r0c0")
    walk_to(model.slot("r0c0"), SeedStage.FOSSILIZED)
    model(inputs("cnn")).square().mean().backward()
    below, above = (model.get_submodule(f"host.blocks.{i}.conv").weight for i in (0, 1))
    assert (below.grad is not None and bool(below.grad.any())) is coupled
    assert bool(above.grad.any())


def test_the_policy_is_a_choice_by_topology_and_stage() -> None:
    policy = IsolationPolicy().with_coupling("cnn", SeedStage.FOSSILIZED)
    assert not policy.isolates("cnn", SeedStage.FOSSILIZED)
    assert policy.isolates("cnn", SeedStage.PROBATIONARY)
    policy = policy.with_isolation("transformer", SeedStage.BLENDING, SeedStage.SHADOWING)
    assert policy.isolates("transformer", SeedStage.BLENDING)
    assert not policy.isolates("transformer", SeedStage.FOSSILIZED)
    assert not policy.isolates("cnn", SeedStage.FOSSILIZED)


def test_a_seed_that_trains_is_isolated_whatever_the_policy() -> None:
    assert IsolationPolicy().isolates("transformer", SeedStage.TRAINING)
    with pytest.raises(SlotError, match="TRAINING is not open to choice"):
        IsolationPolicy().with_coupling("transformer", SeedStage.TRAINING)


def test_seed_inputs_are_contiguous_and_share_memory_where_they_can() -> None:
    h = torch.randn(2, 8, 4, 4, requires_grad=True)
    assert seed_input_of(h, isolated=True).data_ptr() == h.data_ptr()
    assert seed_input_of(h, isolated=False) is h
    last = h.to(memory_format=torch.channels_last)
    for isolated in (True, False):
        assert seed_input_of(last, isolated=isolated).is_contiguous()
        assert seed_input_of(last, isolated=isolated).requires_grad is not isolated


SEGFAULT = """
import torch
torch.set_num_threads(1)
from esper_ref.isolation import seed_input_of
norm = torch.nn.GroupNorm(2, 8)
x = torch.randn(2, 8, 4, 4).to(memory_format=torch.channels_last)
norm({fed}).sum().backward()
"""


@pytest.mark.parametrize(
    ("fed", "survives"), [("seed_input_of(x, isolated=True)", True), ("x.detach()", False)]
)
def test_a_group_norm_behind_a_channels_last_host_survives_its_backward(
    fed: str, survives: bool
) -> None:
    # The second case proves the first: should torch repair its kernel, it fails and can go.
    script = SEGFAULT.format(fed=fed)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (run.returncode == 0) is survives, run.stderr.decode()
