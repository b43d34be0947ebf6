"""The blending operators and the learned gate."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.slots_in_stages import make_slot
from torch import Tensor, nn

from esper_ref import (
    AlphaAlgorithm,
    GatedBlend,
    GateStatistics,
    blend_add,
    blend_gate,
    blend_multiply,
    gate_effective_alpha,
    multiply_valve_multiplier,
)
from esper_ref.blending import causal_mean
from esper_ref.errors import BlendError, CheckpointKeyError, TopologyError

if TYPE_CHECKING:
    from collections.abc import Callable

seeds = st.integers(0, 2**31)
unit = st.floats(0.0, 1.0)


def draw(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


@given(seed=seeds)
def test_adding_is_the_host_at_0_and_the_seed_at_1_exactly(seed: int) -> None:
    h, s = draw(seed, 3, 4), draw(seed + 1, 3, 4)
    assert torch.equal(blend_add(h, s, torch.tensor(0.0)), h)
    assert torch.equal(blend_add(h, s, torch.tensor(1.0)), s)


@given(seed=seeds, alpha=unit)
def test_adding_stays_between_host_and_seed(seed: int, alpha: float) -> None:
    h, s = draw(seed, 3, 4), draw(seed + 1, 3, 4)
    out = blend_add(h, s, torch.tensor(alpha))
    slack = 1e-14  # lerp rounds twice, at values of a few units
    assert bool((out >= torch.minimum(h, s) - slack).all())
    assert bool((out <= torch.maximum(h, s) + slack).all())


@given(seed=seeds, alpha=unit)
def test_the_valve_stays_within_alpha_of_one(seed: int, alpha: float) -> None:
    valve = multiply_valve_multiplier(torch.tensor(alpha), 100 * draw(seed, 9))
    assert bool((valve >= 1 - alpha - 1e-7).all())  # alpha is a float32 here
    assert bool((valve <= 1 + alpha + 1e-7).all())


def assert_host_gradient_is_the_multiplier(multiply: Callable[..., Tensor]) -> None:
    """With the host's features fed to the seed detached, d/dh is the multiplier and no more."""
    h, weight = draw(1, 3, 4).requires_grad_(), draw(2, 4, 4)
    u = h.detach()
    s = u + torch.tanh(u @ weight)
    alpha, cotangent = torch.tensor(0.7, dtype=torch.float64), draw(3, 3, 4)
    (multiply(h, s, alpha, u) * cotangent).sum().backward()
    assert h.grad is not None
    assert torch.equal(h.grad, multiply_valve_multiplier(alpha, s - u) * cotangent)


def test_multiplying_gives_the_host_the_multiplier_as_its_gradient() -> None:
    assert_host_gradient_is_the_multiplier(lambda h, s, a, u: blend_multiply(h, s, a, seed_input=u))


def test_the_test_above_sees_a_seed_input_that_defaults_to_the_host() -> None:
    def with_default(h: Tensor, s: Tensor, a: Tensor, _u: Tensor) -> Tensor:
        return h * (1 + a * torch.tanh(s - h))

    with pytest.raises(AssertionError):
        assert_host_gradient_is_the_multiplier(with_default)


def test_coupling_is_had_by_passing_the_host_features() -> None:
    h = draw(1, 3, 4).requires_grad_()
    s, a = draw(2, 3, 4), torch.tensor(0.7, dtype=torch.float64)
    blend_multiply(h, s, a, seed_input=h).sum().backward()
    assert h.grad is not None
    tanh = torch.tanh(s - h.detach())
    wanted = 1 + a * tanh - a * h.detach() * (1 - tanh**2)
    torch.testing.assert_close(h.grad, wanted, rtol=1e-12, atol=1e-12)  # two orders of summation


def test_multiplying_wants_its_seed_input_by_name_and_has_no_default_for_it() -> None:
    parameter = inspect.signature(blend_multiply).parameters["seed_input"]
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    assert parameter.default is inspect.Parameter.empty
    with pytest.raises(TypeError, match="seed_input"):
        blend_multiply(torch.ones(2), torch.ones(2), torch.tensor(0.5))  # type: ignore[call-arg]


@given(seed=seeds, alpha=unit, gate=unit)
def test_gating_is_adding_with_the_product(seed: int, alpha: float, gate: float) -> None:
    h, s = draw(seed, 3, 4), draw(seed + 1, 3, 4)
    a, g = torch.tensor(alpha), torch.full((3, 1), gate)
    assert torch.equal(blend_gate(h, s, a, g), blend_add(h, s, gate_effective_alpha(a, g)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_every_operator_keeps_the_hosts_dtype(dtype: torch.dtype) -> None:
    h = draw(1, 2, 4, 3, 3).to(dtype)
    for seed_dtype in (dtype, torch.float32):
        s, a = draw(2, 2, 4, 3, 3).to(seed_dtype), torch.tensor(0.5)
        gate = torch.full((2, 1, 1, 1), 0.5)
        assert blend_add(h, s, a).dtype is dtype
        assert blend_multiply(h, s, a, seed_input=h.detach()).dtype is dtype
        assert blend_gate(h, s, a, gate).dtype is dtype


def test_every_operator_keeps_channels_last() -> None:
    h = torch.randn(2, 4, 3, 3).to(memory_format=torch.channels_last)
    s, a = torch.randn(2, 4, 3, 3), torch.tensor(0.5)
    for out in (
        blend_add(h, s, a),
        blend_multiply(h, s, a, seed_input=h.detach().contiguous()),
        blend_gate(h, s, a, torch.rand(2, 1, 1, 1)),
    ):
        assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("channels", "hidden"), [(1, 8), (31, 8), (32, 8), (40, 10), (256, 64)])
def test_the_gate_is_a_quarter_as_wide_but_never_narrower_than_8(
    channels: int, hidden: int
) -> None:
    gate = GatedBlend(channels)
    assert [tuple(p.shape) for p in gate.parameters()] == [
        (hidden, channels),
        (hidden,),
        (1, hidden),
        (1,),
    ]


def test_a_gate_is_one_number_a_picture_or_one_a_token() -> None:
    assert GatedBlend(6).get_alpha_for_blend(torch.randn(3, 6, 5, 5)).shape == (3, 1, 1, 1)
    gate = GatedBlend(6, "transformer").get_alpha_for_blend(torch.randn(3, 7, 6))
    assert gate.shape == (3, 7, 1)
    assert bool(((gate > 0) & (gate < 1)).all())


def test_the_timeline_of_a_gate_is_the_share_of_steps_whatever_the_gate_learned() -> None:
    assert [GatedBlend(4, total_steps=4).get_alpha(step) for step in (-1, 0, 1, 4, 9)] == [
        0.0,
        0.0,
        0.25,
        1.0,
        1.0,
    ]


def test_a_gate_for_an_unknown_topology_is_refused() -> None:
    with pytest.raises(TopologyError, match="perceptron"):
        GatedBlend(4, "perceptron")


def assert_pools_causally(pool: Callable[[Tensor], Tensor]) -> None:
    x = draw(5, 2, 9, 4)
    for t in (0, 4, 7):
        changed = x.clone()
        changed[:, t + 1 :] = 30 * draw(6, 2, 8 - t, 4)
        assert torch.equal(pool(changed)[:, : t + 1], pool(x)[:, : t + 1])


def test_a_text_is_pooled_over_what_came_before() -> None:
    assert_pools_causally(causal_mean)
    x = draw(7, 2, 5, 3)
    for t in range(5):
        torch.testing.assert_close(causal_mean(x)[:, t], x[:, : t + 1].mean(1))


def test_the_test_above_sees_a_mean_over_all_positions() -> None:
    with pytest.raises(AssertionError):
        assert_pools_causally(lambda x: x.mean(1, keepdim=True).expand_as(x))


def test_a_long_half_precision_text_is_summed_in_single_precision() -> None:
    x = (1 + draw(8, 1, 3000, 2).abs()).bfloat16()
    exact = causal_mean(x.double())
    error = (causal_mean(x).double() - exact).abs() / exact
    assert error.max() < 1.01 * 2**-8  # the rounding of the result and no other


def test_gate_statistics_are_those_of_the_gate_and_hold_no_graph() -> None:
    gate = torch.rand(4, 3, 1, requires_grad=True)
    statistics = GateStatistics.of(gate)
    found = statistics.to_dict()
    values = gate.detach()
    assert found == {
        "mean": values.mean().item(),
        "std": values.std(correction=0).item(),
        "min": values.min().item(),
        "max": values.max().item(),
    }
    assert not any(t.requires_grad for t in (statistics.mean, statistics.std, statistics.min))
    assert GateStatistics.from_dict(found).to_dict() == found
    with pytest.raises(CheckpointKeyError, match="max"):
        GateStatistics.from_dict({"mean": 0.5, "std": 0.1, "min": 0.2})


def test_the_statistics_of_a_single_gate_are_finite() -> None:
    assert GateStatistics.of(torch.tensor([[0.25]])).to_dict()["std"] == 0.0


def assert_travels(gate: nn.Module) -> None:
    x = torch.randn(2, 4, 3, 3)
    for other in (copy.deepcopy(gate), pickle.loads(pickle.dumps(gate))):
        assert torch.equal(other.get_alpha_for_blend(x), gate.get_alpha_for_blend(x))


class CachingGate(GatedBlend):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.cache = threading.local()


def test_a_gate_can_be_copied_and_pickled() -> None:
    assert_travels(GatedBlend(4))


def test_the_test_above_sees_a_thread_local_cache() -> None:
    with pytest.raises(TypeError, match="pickle"):
        assert_travels(CachingGate(4))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"total_steps": 0}, "total_steps = 0"),
        ({"total_steps": -3}, "total_steps = -3"),
        ({"channels": 0}, "channels = 0"),
    ],
)
def test_a_gate_of_impossible_size_is_refused(arguments: dict[str, int], named: str) -> None:
    with pytest.raises(BlendError, match=f"GatedBlend: got {named}, expected 1 or more"):
        GatedBlend(**{"channels": 8} | arguments)


@pytest.mark.parametrize(
    ("topology", "shape"),
    [
        ("cnn", (2, 8, 4)),
        ("cnn", (2, 8, 4, 4, 4)),
        ("cnn", (2, 4, 8, 4)),
        ("transformer", (2, 8)),
        ("transformer", (2, 3, 4, 8)),
        ("transformer", (2, 8, 5)),
    ],
)
def test_a_gate_refuses_features_of_another_layout(topology: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(TopologyError, match="GatedBlend: got features of shape"):
        GatedBlend(8, topology).get_alpha_for_blend(torch.randn(shape))


def test_a_slot_that_blends_at_once_can_have_a_gate() -> None:
    slot = make_slot("cnn")
    slot.germinate("norm", alpha_algorithm=AlphaAlgorithm.GATE, blend_epochs=0)
    assert slot.gate is not None
    assert slot.gate.get_alpha(1) == 1.0


def test_the_gate_of_a_text_is_one_for_all_tokens_where_the_host_is_not_causal() -> None:
    x = torch.randn(3, 7, 6)
    gate = GatedBlend(6, "transformer", causal=False)
    assert gate.get_alpha_for_blend(x).shape == (3, 1, 1)
    later = x.clone()
    later[:, -1] += 1.0
    assert not torch.equal(gate.get_alpha_for_blend(x), gate.get_alpha_for_blend(later))
