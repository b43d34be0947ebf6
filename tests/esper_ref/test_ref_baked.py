"""A baked model has no slots, and computes what the grown one does, bit for bit in eval mode."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from support.residual_network import ResNet18, ViT
from test_ref_own_hosts import MASK, resnet_host, vit_host
from torch import Tensor, nn

from esper_ref import (
    AlphaAlgorithm,
    BakedModel,
    CNNHost,
    IsolationPolicy,
    MorphogeneticModel,
    SeedRecipe,
    SeedStage,
    SlotRules,
    TransformerHost,
    bake,
)
from esper_ref.errors import SlotError
from esper_ref.graft import Graft


def fossilize(model: MorphogeneticModel, slot_id: str, blueprint: str, algorithm: str) -> None:
    """Lead a seed to its end without asking the gates, with weights that are not those of birth."""
    model.germinate_seed(blueprint, slot=slot_id, alpha_algorithm=AlphaAlgorithm(algorithm))
    slot = model.slot(slot_id)
    with torch.no_grad():
        for parameter in slot.parameters():
            parameter.normal_(std=0.3)
    for stage in (s for s in SeedStage if SeedStage.TRAINING <= s <= SeedStage.FOSSILIZED):
        slot.state.transition(stage)
    slot.state.controller.retarget(alpha_target=1.0, alpha_steps_total=0)
    slot.show()


def grown(algorithm: str) -> tuple[MorphogeneticModel, Tensor]:
    torch.manual_seed(0)
    model = MorphogeneticModel(resnet_host(ResNet18(width=4)), slots=["r0c0", "r0c2", "r0c3"])
    fossilize(model, "r0c2", "conv_light", algorithm)
    fossilize(model, "r0c3", "attention", algorithm)
    return model.eval(), torch.randn(2, 3, 32, 32)


@pytest.mark.parametrize("algorithm", [a.value for a in AlphaAlgorithm])
def test_the_outputs_are_the_same(algorithm: str) -> None:
    model, x = grown(algorithm)
    baked = bake(model)
    with torch.no_grad():
        assert torch.equal(baked(x), model(x))
        assert torch.equal(
            baked(x.to(memory_format=torch.channels_last)),
            model(x.to(memory_format=torch.channels_last)),
        )
    assert not torch.equal(baked(x), model.get_submodule("host")(x))
    assert not any(isinstance(part, Graft) for part in baked.modules())
    assert list(baked.recipes) == ["r0c2", "r0c3"]


def test_it_is_a_copy_and_leaves_the_random_stream_alone() -> None:
    model, x = grown("add")
    stream = torch.get_rng_state()
    baked = bake(model)
    assert torch.equal(torch.get_rng_state(), stream)
    assert not baked.training
    before = model(x)
    with torch.no_grad():
        for parameter in baked.parameters():
            parameter.zero_()
    assert torch.equal(model(x), before)


def test_a_model_without_seeds_is_baked_to_its_host() -> None:
    net = ResNet18(width=4).eval()
    model = MorphogeneticModel(resnet_host(net), slots=["r0c0"]).eval()
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(bake(model)(x), net(x))


def test_a_seed_on_trial_is_refused_by_name() -> None:
    model, _ = grown("add")
    model.germinate_seed("norm", slot="r0c0")
    with pytest.raises(SlotError, match="r0c0 in GERMINATED"):
        bake(model)


def test_it_is_exported_and_read_back(tmp_path: Path) -> None:
    model, x = grown("add")
    baked = bake(model)
    torch.export.save(torch.export.export(baked, (x,)), tmp_path / "grown.pt2")
    read = torch.export.load(tmp_path / "grown.pt2").module()
    torch.testing.assert_close(read(x), model(x))


def test_recipes_and_weights_rebuild_it(tmp_path: Path) -> None:
    model, x = grown("multiply")
    baked = bake(model)
    torch.save(baked.state_dict(), tmp_path / "weights.pt")
    plain = json.loads(json.dumps({s: r.to_dict() for s, r in baked.recipes.items()}))
    recipes = {s: SeedRecipe.from_dict(r) for s, r in plain.items()}
    again = BakedModel(resnet_host(ResNet18(width=4)), recipes)
    again.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(again.eval()(x), model(x))


@pytest.mark.parametrize("algorithm", ["add", "gate"])
def test_a_vit_with_a_mask(algorithm: str) -> None:
    torch.manual_seed(0)
    model = MorphogeneticModel(vit_host(ViT()), slots=["r0c0"])
    fossilize(model, "r0c0", "attention", algorithm)
    baked, x = bake(model.eval()), torch.randn(2, 3, 16, 16)
    mask = torch.zeros(2, 17, dtype=torch.bool)
    mask[:, 9:] = True
    with torch.no_grad():
        assert torch.equal(baked(x, **{MASK: mask}), model(x, **{MASK: mask}))


@pytest.mark.parametrize("algorithm", ["add", "multiply", "gate"])
def test_a_fossil_learns_as_before_it_had_a_path_of_its_own(algorithm: str) -> None:
    """The settled path gives the gradients that the blend at alpha 1 gives."""
    torch.manual_seed(0)
    host = TransformerHost(11, n_embd=8, n_head=2, n_layer=2, block_size=6, num_segments=2)
    model = MorphogeneticModel(host, slots=["r0c0"])
    fossilize(model, "r0c0", "attention", algorithm)
    ids = torch.randint(0, 11, (2, 6))
    slot = model.slot("r0c0")
    assert slot.path == ("settled" if algorithm == "add" else "blend")

    def gradients() -> list[Tensor]:
        model.zero_grad()
        model(ids).square().sum().backward()
        return [p.grad for p in model.parameters() if p.grad is not None]

    settled = gradients()
    with slot.force_alpha(1.0):
        assert slot.path == "blend"
        blended = gradients()
    assert len(settled) == len(blended)
    for one, other in zip(settled, blended, strict=True):
        torch.testing.assert_close(one, other)


def test_an_isolated_fossil_keeps_the_gradient_of_zeros() -> None:
    model, x = grown("add")
    assert model.slot("r0c3").path == "blend"
    model(x).sum().backward()
    stem = model.get_submodule("host.segments.0.0.weight".rpartition(".")[0])
    assert isinstance(stem, nn.Conv2d)
    assert stem.weight.grad is not None
    assert not stem.weight.grad.any()


def test_it_keeps_the_mode_of_the_model_and_of_its_parts() -> None:
    model, _ = grown("gate")
    model.train()
    model.get_submodule("host").eval()
    baked = bake(model)
    assert baked.training
    assert all(seed.training for seed in baked.seeds.values())
    assert not baked.get_submodule("host").training


@pytest.mark.parametrize("coupled", [False, True])
def test_a_fossilized_seed_keeps_channels_last(*, coupled: bool) -> None:
    policy = IsolationPolicy()
    policy = policy.with_coupling("cnn", SeedStage.FOSSILIZED) if coupled else policy
    host = CNNHost(5, 2, 8, in_channels=4)
    model = MorphogeneticModel(host, slots=["r0c1"], rules=SlotRules(isolation=policy))
    fossilize(model, "r0c1", "conv_light", "add")
    baked = bake(model.eval())
    h = torch.randn(2, 16, 4, 4).to(memory_format=torch.channels_last)
    for part in (model.slot("r0c1"), baked.seeds["r0c1"]):
        assert part(h).is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(model.slot("r0c1")(h), baked.seeds["r0c1"](h))
