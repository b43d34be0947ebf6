"""No output depends on a later input: blueprints, gated blending, host and whole model.

Parameters are drawn anew first, for a seed at birth is the identity and hides everything. Then
three detectors, each blind where another sees: the exact zeros of a vector-Jacobian product, an
exact comparison under a large perturbation, and in float64 a prefix by itself against the prefix
of the whole. A control asks that the output depend on the present at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import pytest
import torch
from support.slots_in_stages import ALGORITHMS, LEARNING, make_model, make_slot, redraw, walk_to
from torch import Tensor, nn
from torch.nn import functional as F

from esper_ref import AlphaAlgorithm, BlueprintRegistry, MorphogeneticModel, SeedStage, ste_forward
from esper_ref.blueprints.transformer_flex_attention import flex_causal

Function = Callable[[Tensor], Tensor]
LENGTHS = (8, 33)
WIDTH = 8
# A prefix is multiplied in matrices of another shape; float64 rounds at 4e-16.
PREFIX_TOLERANCE = 1e-11
NAMES = [name for topology, name in LEARNING if topology == "transformer"]
EVERY_SEED = [
    *[(name, {}) for name in NAMES],
    ("attention", {"dropout": 0.5}),
    ("flex_attention", {"dropout": 0.5}),
    ("mlp", {"dropout": 0.5}),
    ("mlp", {"checkpointed": True}),
    ("mlp_small", {"checkpointed": True, "dropout": 0.5}),
]


def boundaries(length: int) -> Iterator[int]:
    yield from sorted({0, length // 2, length // 3, length - 2})


def same_noise(f: Function, x: Tensor) -> Tensor:
    """Dropout draws by position, so the same seed gives every call of one shape the same mask."""
    torch.manual_seed(7)
    return f(x)


def leak_by_vjp(f: Function, x: Tensor) -> bool:
    """Whether a random cotangent on the past reaches the future's inputs, and by exactly zero."""
    for t in boundaries(x.shape[1]):
        leaf = x.detach().clone().requires_grad_()
        past = same_noise(f, leaf)[:, : t + 1]
        (past * torch.randn_like(past)).sum().backward()
        if leaf.grad is None:
            return False
        if bool(leaf.grad[:, t + 1 :].any()):
            return True
    return False


def leak_by_perturbation(f: Function, x: Tensor) -> bool:
    with torch.no_grad():
        whole = same_noise(f, x)
        for t, scale in product(boundaries(x.shape[1]), (1.0, 30.0)):
            changed = x.clone()
            changed[:, t + 1 :] = scale * torch.randn_like(changed[:, t + 1 :])
            if not torch.equal(same_noise(f, changed)[:, : t + 1], whole[:, : t + 1]):
                return True
    return False


def leak_by_prefix(f: Function, x: Tensor) -> bool:
    with torch.no_grad():
        whole = f(x)
        for t in boundaries(x.shape[1]):
            difference = (f(x[:, : t + 1]) - whole[:, : t + 1]).abs().max()
            if difference > PREFIX_TOLERANCE:
                return True
    return False


def assert_causal(f: Function, *, deterministic: bool = True) -> None:
    for length in LENGTHS:
        x = torch.randn(2, length, WIDTH, dtype=torch.float64)
        live = x.clone().requires_grad_()
        same_noise(f, live)[:, length // 2].square().sum().backward()
        assert live.grad is not None
        assert bool(live.grad[:, length // 2].any()), "dead: nothing was tested"
        assert not leak_by_vjp(f, x), "vjp"
        assert not leak_by_perturbation(f, x), "perturbation"
        if deterministic:
            assert not leak_by_prefix(f, x), "prefix"


def grown(seed: nn.Module) -> nn.Module:
    seed.double()
    redraw(seed.parameters())
    return seed


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "options"), EVERY_SEED)
def test_no_seed_looks_ahead(name: str, options: dict[str, float], training: bool) -> None:
    seed = grown(BlueprintRegistry.create("transformer", name, WIDTH, **options)).train(training)
    assert_causal(seed, deterministic=not (training and "dropout" in options))


def make_grown_slot(name: str, algorithm: AlphaAlgorithm, stage: SeedStage) -> nn.Module:
    slot = make_slot("transformer", name, channels=WIDTH, algorithm=algorithm)
    walk_to(slot, stage)
    return grown(slot)


@pytest.mark.parametrize("stage", [SeedStage.BLENDING, SeedStage.FOSSILIZED])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", ["norm", "attention", "mlp"])
def test_no_blend_looks_ahead(name: str, algorithm: AlphaAlgorithm, stage: SeedStage) -> None:
    assert_causal(make_grown_slot(name, algorithm, stage))


def test_a_seed_that_trains_gets_no_gradient_from_ahead() -> None:
    # Forward it is the host by construction, so only a gradient can tell: the seed is fed
    # features that require grad here, past the slot's own detachment.
    for name in NAMES:
        seed = grown(BlueprintRegistry.create("transformer", name, WIDTH))
        assert_causal(lambda x, seed=seed: ste_forward(x, seed(x)))


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_the_other_kernel_of_flex_attention_does_not_look_ahead() -> None:
    def attend(x: Tensor) -> Tensor:
        heads = x.unflatten(-1, (2, WIDTH // 2)).transpose(1, 2)
        return flex_causal(heads, heads, heads).transpose(1, 2).flatten(-2)

    for length in LENGTHS:  # no vjp: on a CPU this kernel has no backward
        x = torch.randn(2, length, WIDTH, dtype=torch.float64)
        assert not leak_by_perturbation(attend, x)
        assert not leak_by_prefix(attend, x)


def embedded(model: MorphogeneticModel) -> Function:
    """The model as a function of its embeddings: token ids have no gradient."""

    def run(x: Tensor) -> Tensor:
        host = model.get_submodule("host")
        here = None
        for slot_id in model.route:
            for i in host.route.layers(here, slot_id):
                x = host.layers[i](x)
            x, here = model.seed_slots[slot_id](x), slot_id
        return model.host.forward_from_segment(model.route[-1], x)

    return run


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_whole_model_does_not_look_ahead(algorithm: AlphaAlgorithm) -> None:
    model = make_model("transformer").double()
    for slot_id, name in (("r0c0", "attention"), ("r0c1", "mlp")):
        model.germinate_seed(
            name, slot=slot_id, alpha_algorithm=algorithm, blend_algorithm_id="linear"
        )
        walk_to(model.slot(slot_id), SeedStage.BLENDING)
    grown(model)
    f = embedded(model)
    for length in LENGTHS:
        x = torch.randn(2, length, 16, dtype=torch.float64)
        assert not leak_by_vjp(f, x)
        assert not leak_by_perturbation(f, x)
    tokens = torch.randint(0, 11, (2, 33))
    with torch.no_grad():
        whole = model(tokens)
        for t in boundaries(33):
            prefix = model(tokens[:, : t + 1])
            torch.testing.assert_close(prefix, whole[:, : t + 1], rtol=0, atol=PREFIX_TOLERANCE)
            changed = tokens.clone()
            changed[:, t + 1 :] = (changed[:, t + 1 :] + 5) % 11
            assert torch.equal(model(changed)[:, : t + 1], whole[:, : t + 1])


class Unmasked(nn.Module):
    """The attention blueprint without its mask, zero projection and all."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        nn.init.zeros_(self.proj.weight)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return x + self.proj(F.scaled_dot_product_attention(q, k, v))


class MeanGate(nn.Module):
    """A gate that pools over all positions; detached, it has no gradient to be caught by."""

    def __init__(self, *, detached: bool) -> None:
        super().__init__()
        self.gate, self.detached = nn.Linear(WIDTH, 1), detached

    def forward(self, x: Tensor) -> Tensor:
        pooled = (x.detach() if self.detached else x).mean(1, keepdim=True)
        return torch.lerp(x, torch.tanh(x), torch.sigmoid(self.gate(pooled)))


class KnowsTheLength(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / x.shape[1]


class StraightThroughLeak(Unmasked):
    """In forward it is the host; only the gradient comes from ahead."""

    def forward(self, x: Tensor) -> Tensor:
        return ste_forward(x, super().forward(x))


@pytest.mark.parametrize(
    ("leaky", "caught_by"),
    [
        (Unmasked(), "vjp"),
        (MeanGate(detached=False), "vjp"),
        (MeanGate(detached=True), "perturbation"),
        (KnowsTheLength(), "prefix"),
        (StraightThroughLeak(), "vjp"),
    ],
)
def test_each_detector_sees_what_the_others_miss(leaky: nn.Module, caught_by: str) -> None:
    with pytest.raises(AssertionError, match=caught_by):
        assert_causal(grown(leaky))


def test_a_leak_behind_a_zero_projection_is_seen_only_after_drawing_anew() -> None:
    assert_causal(Unmasked().double())
    with pytest.raises(AssertionError, match="vjp"):
        assert_causal(grown(Unmasked()))
