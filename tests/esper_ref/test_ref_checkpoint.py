"""Checkpoints: every stage into a fresh model and on, bit for bit; broken ones are named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch
from lives import ALGORITHMS, TOPOLOGIES, give_evidence, inputs, lenient_rules, make_model, walk_to
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from esper_ref import (
    AlphaAlgorithm,
    CNNHost,
    MorphogeneticModel,
    SeedStage,
    TransformerHost,
    load_checkpoint,
    save_checkpoint,
)
from esper_ref.errors import (
    CheckpointError,
    CheckpointFileError,
    CheckpointKeyError,
    CheckpointVersionError,
)

if TYPE_CHECKING:
    from pathlib import Path

SLOT = "r0c0"
SEEDS = {"cnn": "conv_heavy", "transformer": "attention"}


def build(topology: str, random_seed: int) -> MorphogeneticModel:
    """A model as a new process would build it: the same call, other random weights."""
    torch.manual_seed(random_seed)
    host: nn.Module = CNNHost(5, 2, 8, in_channels=1)
    if topology == "transformer":
        host = TransformerHost(
            11, n_embd=16, n_head=2, n_layer=2, block_size=40, dropout=0.1, num_segments=2
        )
    return MorphogeneticModel(host, slots=["r0c0", "r0c1"], rules=lenient_rules())


def optimizers_of(model: MorphogeneticModel) -> dict[str, Optimizer]:
    optimizers: dict[str, Optimizer] = {
        "host": SGD(model.get_host_parameters(), lr=0.1, momentum=0.9)
    }
    parameters = list(model.get_seed_parameters())
    return optimizers | ({"seed": AdamW(parameters, lr=0.01)} if parameters else {})


def training_step(model: MorphogeneticModel, optimizers: dict[str, Optimizer], x: Tensor) -> Tensor:
    for optimizer in optimizers.values():
        optimizer.zero_grad()
    out: Tensor = model(x)
    out.square().mean().backward()
    model.record_gradients()
    for optimizer in optimizers.values():
        optimizer.step()
    return out


def make_trained(
    topology: str, stage: SeedStage, algorithm: AlphaAlgorithm
) -> tuple[MorphogeneticModel, dict[str, Optimizer]]:
    model = build(topology, random_seed=1)
    if stage is not SeedStage.DORMANT:
        options: dict[str, float] = {"n_head": 2, "dropout": 0.2}
        model.germinate_seed(
            SEEDS[topology],
            slot=SLOT,
            alpha_algorithm=algorithm,
            blend_algorithm_id="linear",
            blueprint_options=options if topology == "transformer" else None,
        )
        walk_to(model.slot(SLOT), stage)
    optimizers = optimizers_of(model)
    for _ in range(2):
        training_step(model, optimizers, inputs(topology))
    return model, optimizers


def plain(state: dict[str, Any]) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, Tensor) else v for k, v in state.items()}


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


def saved(tmp_path: Path, stage: SeedStage = SeedStage.BLENDING) -> tuple[Path, MorphogeneticModel]:
    model, optimizers = make_trained("cnn", stage, AlphaAlgorithm.GATE)
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, model, optimizers=optimizers, epoch=1)
    return path, model


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


Payload = dict[str, Any]
Damage = Callable[[Payload], object]
EXTRA = f"seed_slots.{SLOT}._extra_state"


def within(*keys: str) -> Callable[[Payload], Payload]:
    def find(payload: Payload) -> Payload:
        for key in keys:
            payload = payload[key]
        return payload

    return find


def removed(*keys: str) -> Damage:
    return lambda payload: within(*keys[:-1])(payload).pop(keys[-1])


def added(*keys: str) -> Damage:
    return lambda payload: within(*keys[:-1])(payload).update({keys[-1]: torch.zeros(1)})


def changed(value: object, *keys: str) -> Damage:
    return lambda payload: within(*keys[:-1])(payload).update({keys[-1]: value})


WEIGHT = f"seed_slots.{SLOT}.seed.conv_1.weight"


@pytest.mark.parametrize(
    ("damage", "error", "named"),
    [
        (removed("optimizers"), CheckpointKeyError, "optimizers"),
        (removed("model", WEIGHT), CheckpointKeyError, WEIGHT),
        (removed("model", "host.head.bias"), CheckpointKeyError, "host.head.bias"),
        (removed("model", EXTRA), CheckpointKeyError, EXTRA),
        (removed("model", EXTRA, "state"), CheckpointKeyError, "'state'"),
        (removed("model", EXTRA, "state", "stage"), CheckpointKeyError, "'stage'"),
        (removed("model", EXTRA, "blueprint_options"), CheckpointKeyError, "blueprint_options"),
        (removed("model", EXTRA, "state", "controller", "alpha"), CheckpointKeyError, "'alpha'"),
        (removed("model", EXTRA, "state", "metrics", "current_alpha"), CheckpointKeyError, "alpha"),
        (removed("model", EXTRA, "monitor", "seed", "whole", "count"), CheckpointKeyError, "count"),
        (removed("model", EXTRA, "monitor", "seed", "whole", "weight"), CheckpointKeyError, "weig"),
        (added("surprise"), CheckpointKeyError, "surprise"),
        (added("model", "host.extra"), CheckpointKeyError, "host.extra"),
        (added("model", f"seed_slots.{SLOT}.seed.extra"), CheckpointKeyError, "seed.extra"),
        (added("model", EXTRA, "state", "surprise"), CheckpointKeyError, "surprise"),
        (changed(99, "version"), CheckpointVersionError, "99"),
        (changed(99, "model", EXTRA, "version"), CheckpointVersionError, "99"),
        (changed(9, "model", EXTRA, "channels"), CheckpointError, "wanted"),
        (changed(torch.zeros(2, 2), "model", WEIGHT), CheckpointError, "size mismatch"),
    ],
)
def test_a_broken_checkpoint_is_refused_by_name_and_changes_nothing(
    tmp_path: Path, damage: Damage, error: type[CheckpointError], named: str
) -> None:
    path, _ = saved(tmp_path)
    payload = torch.load(path, weights_only=True)
    damage(payload)
    torch.save(payload, path)
    for stage in (SeedStage.DORMANT, SeedStage.SHADOWING):
        model, _ = make_trained("cnn", stage, AlphaAlgorithm.ADD)
        before = copy.deepcopy(plain(model.state_dict()))
        with pytest.raises(error, match=named.replace(".", r"\.")):
            load_checkpoint(path, model)
        assert plain(model.state_dict()) == before


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, kept: float) -> None:
    path, model = saved(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(CheckpointFileError, match="no checkpoint, or not all of one"):
        load_checkpoint(path, model)


def test_what_is_no_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    model, path = build("cnn", 1), tmp_path / "other.pt"
    path.write_text("a text")
    with pytest.raises(CheckpointFileError, match=r"other\.pt"):
        load_checkpoint(path, model)
    torch.save(path, path)
    with pytest.raises(CheckpointFileError, match="more than tensors and plain types"):
        load_checkpoint(path, model)
    torch.save([1, 2], path)
    with pytest.raises(CheckpointFileError, match="holds a list"):
        load_checkpoint(path, model)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "nowhere.pt", model)


def test_an_optimizer_that_was_not_saved_is_refused_by_name(tmp_path: Path) -> None:
    path, model = saved(tmp_path)
    loaded = load_checkpoint(path, model)
    with pytest.raises(CheckpointKeyError, match=r"'momentum'; there are \['host', 'seed'\]"):
        loaded.restore_optimizer("momentum", SGD(model.get_host_parameters(), lr=0.1))


def test_a_checkpoint_of_another_host_is_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    with pytest.raises(CheckpointError, match="wanted"):
        load_checkpoint(path, MorphogeneticModel(CNNHost(5, 2, 4), slots=["r0c0", "r0c1"]))
    with pytest.raises(CheckpointKeyError, match="r0c1"):
        load_checkpoint(path, MorphogeneticModel(CNNHost(5, 2, 8, in_channels=1), slots=["r0c0"]))


class Unsavable(nn.Module):
    def get_extra_state(self) -> object:
        return lambda: None


def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    data = path.read_bytes()
    with pytest.raises(AttributeError, match="pickle"):
        save_checkpoint(path, Unsavable(), optimizers={}, epoch=0)
    assert path.read_bytes() == data
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert make_model("cnn").load_state_dict(torch.load(path, weights_only=True)["model"])
