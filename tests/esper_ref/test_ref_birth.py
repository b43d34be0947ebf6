"""The birth of a seed: the identity, exactly, and able to learn from its first step on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import torch
from support.slots_in_stages import ALGORITHMS, BLUEPRINTS, LEARNING, features
from torch import Tensor, nn

from esper_ref import (
    AlphaAlgorithm,
    BlueprintRegistry,
    GatedBlend,
    blend_with_isolation,
    ste_forward,
)
from esper_ref.group_norm import group_norm

DIMS = (1, 3, 8, 16, 48, 64, 257)
ALPHAS = (0.0, 0.1, 0.5, 1.0)

Make = Callable[[int], nn.Module]


def blend(
    algorithm: AlphaAlgorithm, h: Tensor, seed: nn.Module, alpha: float, gate: Tensor
) -> Tensor:
    u = h.detach()
    return blend_with_isolation(
        h, seed(u), torch.tensor(alpha), seed_input=u, algorithm=algorithm, gate=gate
    )


def assert_is_the_identity_at_birth(make: Make, topology: str, dim: int) -> None:
    seed, h = make(dim), features(topology, dim)
    gate = GatedBlend(dim, topology).get_alpha_for_blend(h)
    assert torch.equal(seed(h), h)
    for algorithm, alpha in product(ALGORITHMS, ALPHAS):
        assert torch.equal(blend(algorithm, h, seed, alpha, gate), h)


def assert_can_learn_at_birth(make: Make, topology: str, dim: int) -> None:
    seed, h = make(dim), features(topology, dim)
    gate = GatedBlend(dim, topology).get_alpha_for_blend(h).detach()
    outputs = [ste_forward(h, seed(h))]
    outputs += [blend(a, h, seed, alpha, gate) for a in ALGORITHMS for alpha in ALPHAS[1:]]
    for out in outputs:
        seed.zero_grad()
        (out * torch.randn_like(out)).sum().backward()
        assert any(p.grad is not None and bool(p.grad.any()) for p in seed.parameters())


def assert_moves(make: Make, topology: str, dim: int) -> None:
    """20 steps of plain SGD, no weight decay (which moves a dead parameter as well)."""
    seed, h = make(dim), features(topology, dim)
    optimizer = torch.optim.SGD(seed.parameters(), lr=0.1)
    target = h + torch.randn_like(h)
    for _ in range(20):
        optimizer.zero_grad()
        (ste_forward(h, seed(h)) * (h - target)).mean().backward()
        optimizer.step()
    assert not torch.equal(seed(h), h)


def maker(topology: str, name: str) -> Make:
    return lambda dim: BlueprintRegistry.create(topology, name, dim)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize(("topology", "name"), BLUEPRINTS)
def test_a_seed_is_the_identity_at_birth(topology: str, name: str, dim: int) -> None:
    assert_is_the_identity_at_birth(maker(topology, name), topology, dim)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize(("topology", "name"), LEARNING)
def test_a_seed_can_learn_at_birth_and_does(topology: str, name: str, dim: int) -> None:
    assert_can_learn_at_birth(maker(topology, name), topology, dim)
    assert_moves(maker(topology, name), topology, dim)


class ZeroConv(nn.Module):
    """The identity at birth, and for ever: zero conv, norm, ReLU."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.norm = group_norm(dim)
        nn.init.zeros_(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.norm(self.conv(x)))


class Jumps(ZeroConv):
    """Alive, but not the identity: the same with an ordinary convolution."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.conv.reset_parameters()


class Halves(nn.Module):
    """Squeeze and excitation without the 2."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, dim)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.expand(x.mean((2, 3))))[:, :, None, None]


def test_the_tests_above_see_a_branch_that_is_dead_for_ever() -> None:
    assert_is_the_identity_at_birth(ZeroConv, "cnn", 8)
    with pytest.raises(AssertionError):
        assert_can_learn_at_birth(ZeroConv, "cnn", 8)
    with pytest.raises(AssertionError):
        assert_moves(ZeroConv, "cnn", 8)


@pytest.mark.parametrize("broken", [Jumps, Halves])
def test_the_tests_above_see_a_seed_that_jumps_at_birth(broken: Make) -> None:
    with pytest.raises(AssertionError):
        assert_is_the_identity_at_birth(broken, "cnn", 8)


@pytest.mark.parametrize("name", [name for topology, name in LEARNING if topology == "cnn"])
def test_a_seed_can_learn_from_a_picture_of_one_pixel(name: str) -> None:
    seed, h = BlueprintRegistry.create("cnn", name, 8), torch.randn(2, 8, 1, 1)
    out = ste_forward(h, seed(h))
    (out * torch.randn_like(out)).sum().backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in seed.parameters())
