"""The blueprints: their cost, their birth, and what they keep of their features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from support.slots_in_stages import BLUEPRINTS, TOPOLOGIES, features, redraw
from torch import nn

from esper_ref import (
    BlueprintRegistry,
)
from esper_ref.blueprints.transformer_flex_attention import (
    AttentionKernel,
    flex_causal,
    kernel_for,
)
from esper_ref.errors import BlueprintError, TopologyError
from esper_ref.group_norm import group_norm

if TYPE_CHECKING:
    from collections.abc import Callable

DIMS = (1, 3, 8, 16, 48, 64, 257)
COUNTED_DIMS = (*range(1, 513), 1024, 2048, 4096)
NAMES = {
    "cnn": "noop norm attention conv_small bottleneck depthwise conv_light conv_heavy",
    "transformer": "noop norm lora lora_large mlp_small attention flex_attention mlp",
}


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_shelf_holds_the_known_blueprints_cheapest_first(topology: str) -> None:
    specs = BlueprintRegistry.list_for_topology(topology)
    assert {spec.name for spec in specs} == set(NAMES[topology].split())
    width = 64 if topology == "cnn" else 384
    costs = [(spec.param_estimate(width), spec.name) for spec in specs]
    assert costs == sorted(costs)
    truth = [(spec.actual_param_count(width), spec.name) for spec in specs]
    assert costs == truth


def assert_estimate_is_true(estimate: Callable[[int], int], actual: Callable[[int], int]) -> None:
    wrong = {dim: (estimate(dim), actual(dim)) for dim in COUNTED_DIMS}
    wrong = {dim: pair for dim, pair in wrong.items() if pair[0] != pair[1]}
    assert not wrong


@pytest.mark.parametrize(("topology", "name"), BLUEPRINTS)
def test_the_estimate_is_the_count_at_every_width(topology: str, name: str) -> None:
    spec = BlueprintRegistry.get(topology, name)
    assert_estimate_is_true(spec.param_estimate, spec.actual_param_count)


@pytest.mark.parametrize(
    "estimate",
    [
        lambda _dim: 2000,
        lambda dim: 2 * dim * (dim // 4) + dim + dim // 4,  # as if both Linears had a bias
        lambda dim: 2 * dim * (dim // 4) + dim,  # forgets that r is at least 1
    ],
)
def test_the_test_above_sees_a_wrong_formula(estimate: Callable[[int], int]) -> None:
    actual = BlueprintRegistry.get("cnn", "attention").actual_param_count
    with pytest.raises(AssertionError):
        assert_estimate_is_true(estimate, actual)


def test_squeeze_and_excitation_counts_one_bias() -> None:
    spec = BlueprintRegistry.get("cnn", "attention")
    assert spec.param_estimate(64) == 2112
    assert spec.param_estimate(512) == 131_584


@pytest.mark.parametrize(("topology", "name"), BLUEPRINTS)
def test_the_meta_count_is_that_of_a_real_seed(topology: str, name: str) -> None:
    spec = BlueprintRegistry.get(topology, name)
    for dim in DIMS:
        real = sum(p.numel() for p in spec.build(dim).parameters())
        assert real == spec.actual_param_count(dim)


@pytest.mark.parametrize("dim", [1, 3, 16, 257])
@pytest.mark.parametrize(("topology", "name"), BLUEPRINTS)
def test_a_grown_seed_keeps_shape_dtype_and_its_input(topology: str, name: str, dim: int) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        seed = BlueprintRegistry.create(topology, name, dim).to(dtype)
        redraw(seed.parameters())
        x = features(topology, dim).to(dtype)
        before = x.clone()
        out = seed(x)
        assert out.shape == x.shape
        assert out.dtype is dtype
        assert torch.equal(x, before)
        assert torch.isfinite(out).all()
        assert seed(x[:1]).shape == x[:1].shape


@pytest.mark.parametrize(("topology", "name"), BLUEPRINTS)
def test_a_grown_seed_under_autocast_keeps_the_features_dtype(topology: str, name: str) -> None:
    seed = BlueprintRegistry.create(topology, name, 8)
    redraw(seed.parameters())
    for dtype in (torch.float32, torch.bfloat16):
        x = features(topology, 8).to(dtype)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = seed(x)
        assert out.dtype is dtype
        if name != "noop":
            out.float().square().mean().backward()


@pytest.mark.parametrize(("topology", "name"), BLUEPRINTS)
def test_a_seed_is_the_identity_at_birth_under_autocast(topology: str, name: str) -> None:
    seed, x = BlueprintRegistry.create(topology, name, 8), features(topology, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(seed(x), x)


@pytest.mark.parametrize("name", NAMES["cnn"].split())
def test_a_seed_keeps_channels_last_and_survives_its_backward(name: str) -> None:
    seed = BlueprintRegistry.create("cnn", name, 8)
    redraw(seed.parameters())
    plain = torch.randn(2, 8, 6, 6)
    x = plain.to(memory_format=torch.channels_last)
    out = seed(x)
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out.contiguous(), seed(plain))  # other kernels, other rounding
    if name != "noop":
        out.square().mean().backward()


@pytest.mark.parametrize(("topology", "name"), BLUEPRINTS)
def test_a_row_of_a_batch_does_not_depend_on_the_other_rows(topology: str, name: str) -> None:
    seed = BlueprintRegistry.create(topology, name, 8).double().eval()
    redraw(seed.parameters())
    x = features(topology, 8).double()
    torch.testing.assert_close(seed(x)[:1], seed(x[:1]), rtol=1e-11, atol=1e-11)


def test_a_blueprint_registered_twice_is_refused_and_can_be_replaced() -> None:
    register = BlueprintRegistry.register("idle", "cnn", param_count=lambda _dim: 0)
    register(lambda _dim: nn.Identity())
    try:
        with pytest.raises(BlueprintError, match="'idle' is already registered"):
            register(lambda _dim: nn.Identity())
        assert isinstance(BlueprintRegistry.create("cnn", "idle", 4), nn.Identity)
    finally:
        BlueprintRegistry.unregister("cnn", "idle")
    with pytest.raises(BlueprintError, match="does not exist; there are attention, bottleneck"):
        BlueprintRegistry.unregister("cnn", "idle")


def test_an_unknown_blueprint_topology_or_width_is_refused_by_name() -> None:
    with pytest.raises(BlueprintError, match="'lora' does not exist; there are attention"):
        BlueprintRegistry.create("cnn", "lora", 8)
    with pytest.raises(TopologyError, match="'rnn' does not exist"):
        BlueprintRegistry.list_for_topology("rnn")
    with pytest.raises(BlueprintError, match="width 0"):
        BlueprintRegistry.get("cnn", "norm").param_estimate(0)
    with pytest.raises(BlueprintError, match="width 0"):
        BlueprintRegistry.create("cnn", "norm", 0)


def test_a_blueprint_takes_its_options() -> None:
    assert BlueprintRegistry.create("transformer", "attention", 12, n_head=8).n_head == 4
    assert BlueprintRegistry.create("transformer", "mlp", 12, dropout=0.25).dropout == 0.25
    with pytest.raises(TypeError, match="n_head"):
        BlueprintRegistry.create("cnn", "norm", 12, n_head=8)


@pytest.mark.parametrize("channels", [1, 3, 7, 8, 12, 16, 48, 64, 257])
def test_groups_divide_the_channels_and_hold_several_where_they_can(channels: int) -> None:
    norm = group_norm(channels)
    assert channels % norm.num_groups == 0
    assert norm.num_groups <= 8
    assert norm.num_groups == 1 or channels // norm.num_groups >= 4


@pytest.mark.parametrize("name", ["mlp", "mlp_small"])
def test_a_checkpointed_branch_has_the_same_values_and_gradients(name: str) -> None:
    plain = BlueprintRegistry.create("transformer", name, 8)
    redraw(plain.parameters())
    saving = BlueprintRegistry.create("transformer", name, 8, checkpointed=True)
    saving.load_state_dict(plain.state_dict())
    x = features("transformer", 8)  # requires no grad, as behind a host in training
    cotangent = torch.randn_like(x)
    for seed in (plain, saving):
        (seed(x) * cotangent).sum().backward()
    assert torch.equal(plain(x), saving(x))
    for p, q in zip(plain.parameters(), saving.parameters(), strict=True):
        assert p.grad is not None
        assert q.grad is not None
        assert torch.equal(p.grad, q.grad)


def test_flex_attention_says_which_kernel_ran_and_trains_on_a_cpu() -> None:
    seed = BlueprintRegistry.create("transformer", "flex_attention", 16)
    assert seed.kernel is None
    seed(features("transformer", 16)).square().sum().backward()
    assert seed.kernel is AttentionKernel.SDPA
    assert kernel_for("cuda", 64, 0.0) is AttentionKernel.FLEX
    assert kernel_for("cuda", 64, 0.1) is AttentionKernel.SDPA
    assert kernel_for("cuda", 8, 0.0) is AttentionKernel.SDPA
    assert kernel_for("cpu", 64, 0.0) is AttentionKernel.SDPA


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_both_kernels_compute_the_same_causal_attention() -> None:
    q, k, v = torch.randn(3, 2, 4, 9, 16)
    with torch.no_grad():
        flex = flex_causal(q, k, v)
    sdpa = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(flex, sdpa)  # float32, two orders of summation
