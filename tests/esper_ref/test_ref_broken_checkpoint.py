"""Broken checkpoints: refused by name, and nothing is changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import torch
from support.slots_in_stages import make_model
from support.trained_checkpoints import SLOT, build, make_trained, plain, saved
from torch import nn
from torch.optim import SGD

from esper_ref import (
    AlphaAlgorithm,
    CNNHost,
    MorphogeneticModel,
    SeedStage,
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
        (changed(9, "model", EXTRA, "channels"), CheckpointError, "expected"),
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
    with pytest.raises(CheckpointError, match="expected"):
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


def test_a_save_replaces_the_old_file_whole_and_never_writes_into_it(tmp_path: Path) -> None:
    path, model = saved(tmp_path)
    data = path.read_bytes()
    with path.open("rb") as old:  # what a killed save would leave behind
        save_checkpoint(path, model, optimizers={}, epoch=2)
        assert old.read() == data
    assert path.read_bytes() != data
