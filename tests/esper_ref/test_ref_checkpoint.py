"""Checkpoints: every stage into a fresh model and on, bit for bit; broken ones are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from support.slots_in_stages import ALGORITHMS, TOPOLOGIES, give_evidence, inputs
from support.trained_checkpoints import (
    SLOT,
    build,
    make_trained,
    optimizers_of,
    plain,
    saved,
    training_step,
)

from esper_ref import (
    AlphaAlgorithm,
    SeedStage,
    load_checkpoint,
    save_checkpoint,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("stage", SeedStage)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_training_goes_on_bit_for_bit_in_a_fresh_model_from_every_stage(
    tmp_path: Path, topology: str, stage: SeedStage, algorithm: AlphaAlgorithm
) -> None:
    model, optimizers = make_trained(topology, stage, algorithm)
    path, x = tmp_path / "checkpoint.pt", inputs(topology)
    save_checkpoint(path, model, optimizers=optimizers, epoch=7)

    fresh = build(topology, random_seed=2)
    loaded = load_checkpoint(path, fresh)
    assert loaded.epoch == 7
    assert plain(fresh.state_dict()) == plain(model.state_dict())
    fresh_optimizers = optimizers_of(fresh)
    assert set(fresh_optimizers) == set(loaded.optimizers)
    for name, optimizer in fresh_optimizers.items():
        loaded.restore_optimizer(name, optimizer)

    for _ in range(3):
        random_state = torch.get_rng_state()
        wanted = training_step(model, optimizers, x)
        torch.set_rng_state(random_state)
        assert torch.equal(training_step(fresh, fresh_optimizers, x), wanted)
        for slot in (model.slot(SLOT), fresh.slot(SLOT)):
            if slot.is_active:
                give_evidence(slot)
            slot.step_epoch()
        assert plain(fresh.state_dict()) == plain(model.state_dict())


def test_the_test_above_sees_an_optimizer_that_was_not_restored(tmp_path: Path) -> None:
    model, optimizers = make_trained("cnn", SeedStage.BLENDING, AlphaAlgorithm.ADD)
    path, x = tmp_path / "checkpoint.pt", inputs("cnn")
    save_checkpoint(path, model, optimizers=optimizers, epoch=7)
    fresh = build("cnn", random_seed=2)
    load_checkpoint(path, fresh)
    training_step(model, optimizers, x)
    training_step(fresh, optimizers_of(fresh), x)
    assert plain(fresh.state_dict()) != plain(model.state_dict())


def test_the_random_stream_is_saved_and_only_restored_on_request(tmp_path: Path) -> None:
    model, optimizers = make_trained("transformer", SeedStage.TRAINING, AlphaAlgorithm.ADD)
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, model, optimizers=optimizers, epoch=0)
    wanted = torch.randn(3)
    fresh = build("transformer", random_seed=2)
    before = torch.get_rng_state()
    loaded = load_checkpoint(path, fresh)
    assert torch.equal(torch.get_rng_state(), before)
    loaded.restore_random_state()
    assert torch.equal(torch.randn(3), wanted)


def test_a_dormant_slot_loaded_over_a_seed_empties_the_slot(tmp_path: Path) -> None:
    path, model = saved(tmp_path, SeedStage.DORMANT)
    occupied, _ = make_trained("cnn", SeedStage.SHADOWING, AlphaAlgorithm.GATE)
    load_checkpoint(path, occupied)
    slot, x = occupied.slot(SLOT), inputs("cnn")
    assert slot.seed is None
    assert slot.gate is None
    assert slot.alpha.item() == 0.0
    assert slot.state.stage is SeedStage.DORMANT
    assert not list(occupied.get_seed_parameters())
    assert torch.equal(occupied(x), model(x))
    assert slot.germinate("norm").passed


def test_another_seed_is_replaced_by_the_one_that_was_saved(tmp_path: Path) -> None:
    path, model = saved(tmp_path)
    other = build("cnn", random_seed=2)
    other.germinate_seed("attention", slot=SLOT)
    other.germinate_seed("norm", slot="r0c1")
    load_checkpoint(path, other)
    x = inputs("cnn")
    assert torch.equal(other.eval()(x), model.eval()(x))
    assert not other.slot("r0c1").is_active


def test_a_plain_state_dict_rebuilds_the_seed_as_well(tmp_path: Path) -> None:
    _, model = saved(tmp_path)
    torch.save(model.state_dict(), tmp_path / "plain.pt")
    fresh = build("cnn", random_seed=2)
    fresh.load_state_dict(torch.load(tmp_path / "plain.pt", weights_only=True))
    x = inputs("cnn")
    assert torch.equal(fresh(x), model(x))


def test_alpha_forced_while_saving_is_not_saved(tmp_path: Path) -> None:
    _, model = saved(tmp_path)
    with model.slot(SLOT).force_alpha(0.125):
        save_checkpoint(tmp_path / "forced.pt", model, optimizers={}, epoch=0)
    fresh = build("cnn", random_seed=2)
    load_checkpoint(tmp_path / "forced.pt", fresh)
    assert fresh.slot(SLOT).alpha.item() == model.slot(SLOT).alpha.item() == 0.5


def test_a_fresh_model_probes_a_seed_with_the_shape_that_the_saved_one_had_seen() -> None:
    model, fresh = build("cnn", 0), build("cnn", 1)
    model(inputs("cnn")[:3])
    assert fresh.slot(SLOT).feature_shape != model.slot(SLOT).feature_shape
    fresh.load_state_dict(model.state_dict())
    assert fresh.slot(SLOT).feature_shape == model.slot(SLOT).feature_shape
