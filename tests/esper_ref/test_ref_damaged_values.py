"""Damaged checkpoints: by the archive's own sums, and every wrong value by its key."""

from __future__ import annotations

import copy
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from support.trained_checkpoints import SLOT, build, make_trained, plain, saved
from torch.optim import SGD

from esper_ref import (
    AlphaAlgorithm,
    MorphogeneticModel,
    SeedStage,
    load_checkpoint,
    save_checkpoint,
)
from esper_ref.errors import CheckpointError, CheckpointFileError, CheckpointValueError

EXTRA = ("model", f"seed_slots.{SLOT}._extra_state")
STATE = (*EXTRA, "state")


def offset_of_largest(path: Path) -> int:
    """Return where the bytes of the archive's largest tensor begin."""
    with zipfile.ZipFile(path) as archive:
        tensors = [info for info in archive.infolist() if "/data/" in info.filename]
        record = max(tensors, key=lambda info: info.file_size)
        header = path.read_bytes()[record.header_offset :][:30]
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        return record.header_offset + 30 + lengths


def test_bytes_of_a_weight_that_were_lost_are_found_by_the_sums_of_the_archive(
    tmp_path: Path,
) -> None:
    path, _ = saved(tmp_path)
    data, start = bytearray(path.read_bytes()), offset_of_largest(path)
    data[start : start + 64] = bytes(64)
    path.write_bytes(data)
    fresh = build("cnn", 2)
    before = copy.deepcopy(plain(fresh.state_dict()))
    with pytest.raises(CheckpointFileError, match=r"data/\d+ does not match its sum"):
        load_checkpoint(path, fresh)
    assert plain(fresh.state_dict()) == before


def test_one_bit_anywhere_in_the_records_is_found(tmp_path: Path) -> None:
    path, model = saved(tmp_path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        records = [(info.header_offset, info.file_size) for info in archive.infolist()]
    damaged = tmp_path / "damaged.pt"
    for offset, size in records:
        if size == 0:
            continue
        name_length = int.from_bytes(whole[offset + 26 : offset + 28], "little")
        extra_length = int.from_bytes(whole[offset + 28 : offset + 30], "little")
        data = bytearray(whole)
        data[offset + 30 + name_length + extra_length + size // 2] ^= 1
        damaged.write_bytes(data)
        with pytest.raises(CheckpointFileError):
            load_checkpoint(damaged, model)


def test_a_save_writes_its_sums_even_where_torch_was_told_not_to(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        path, model = saved(tmp_path)
        assert torch.serialization.get_crc32_options() is False
    finally:
        torch.serialization.set_crc32_options(True)
    assert load_checkpoint(path, model).epoch == 1


def change(payload: Any, keys: tuple[str, ...], value: object) -> None:
    for key in keys[:-1]:
        payload = payload[key]
    assert keys[-1] in payload
    payload[keys[-1]] = value


WRONG: list[tuple[tuple[str, ...], object]] = [
    (("epoch",), "seven"),
    (("epoch",), -1),
    (("epoch",), 1.5),
    (("model",), [1]),
    (("optimizers",), [1]),
    (("optimizers",), {"host": 3}),
    (("random_state",), torch.zeros(3)),
    (("random_state",), torch.zeros(3, dtype=torch.uint8)),
    (("random_state",), "state"),
    (("model", "host.head.bias"), "a text"),
    (("model", "host.head.bias"), torch.zeros(5, dtype=torch.int64)),
    (EXTRA, 5),
    ((*EXTRA, "channels"), "8"),
    ((*EXTRA, "state"), None),
    ((*EXTRA, "blueprint_options"), [1]),
    ((*EXTRA, "blueprint_options"), {"dropout": [1]}),
    ((*EXTRA, "blueprint_options"), {"no_such_option": 1}),
    ((*EXTRA, "blend_epochs"), -1),
    ((*EXTRA, "blend_epochs"), None),
    ((*EXTRA, "seeds_germinated"), -1),
    ((*EXTRA, "feature_shape"), [2, 0, 4, 4]),
    ((*EXTRA, "feature_shape"), "2844"),
    ((*EXTRA, "feature_shape"), [2, 8]),
    ((*EXTRA, "monitor"), 0),
    ((*EXTRA, "monitor", "seed"), 0),
    ((*EXTRA, "monitor", "seed", "whole"), 0),
    ((*EXTRA, "monitor", "seed"), {"unknown": {"count": 1}}),
    ((*EXTRA, "monitor", "seed", "whole", "count"), "many"),
    ((*EXTRA, "monitor", "seed", "whole", "beta"), 1.5),
    ((*EXTRA, "monitor", "host", "whole", "average"), "a"),
    ((*EXTRA, "monitor", "host", "whole", "weight"), 2.0),
    ((*EXTRA, "monitor", "host", "whole", "latest_is_finite"), "yes"),
    ((*STATE, "slot_id"), 3),
    ((*STATE, "topology"), "ring"),
    ((*STATE, "stage"), 77),
    ((*STATE, "stage"), "BLENDING"),
    ((*STATE, "epochs_in_stage"), "three"),
    ((*STATE, "epochs_in_stage"), -1),
    ((*STATE, "seed_id"), 5),
    ((*STATE, "seed_id"), None),
    ((*STATE, "blueprint_id"), None),
    ((*STATE, "blueprint_id"), "no_such_blueprint"),
    ((*STATE, "alpha_algorithm"), "divide"),
    ((*STATE, "controller"), 1),
    ((*STATE, "controller", "alpha"), 2.0),
    ((*STATE, "controller", "alpha"), math.nan),
    ((*STATE, "controller", "alpha"), "half"),
    ((*STATE, "controller", "alpha_start"), -0.5),
    ((*STATE, "controller", "alpha_target"), None),
    ((*STATE, "controller", "alpha_mode"), "sideways"),
    ((*STATE, "controller", "alpha_curve"), "wavy"),
    ((*STATE, "controller", "alpha_steepness"), 0.0),
    ((*STATE, "controller", "alpha_steps_total"), 2.5),
    ((*STATE, "controller", "alpha_steps_done"), 99),
    ((*STATE, "metrics"), []),
    ((*STATE, "metrics", "current_accuracy"), "high"),
    ((*STATE, "metrics", "current_accuracy"), 101.0),
    ((*STATE, "metrics", "best_accuracy"), math.nan),
    ((*STATE, "metrics", "accuracy_at_stage_start"), True),
    ((*STATE, "metrics", "seed_gradient_norm_ratio"), "strong"),
    ((*STATE, "metrics", "counterfactual_contribution"), "much"),
    ((*STATE, "metrics", "contributions_in_stage"), 3.0),
    ((*STATE, "metrics", "contributions_in_stage"), [1.0, None]),
    ((*STATE, "metrics", "epochs_under_ratio"), -1),
    ((*STATE, "metrics", "seed_is_healthy"), 1),
    ((*STATE, "metrics", "current_alpha"), 7.0),
    ((*STATE, "metrics", "gate_statistics"), 7),
    ((*STATE, "metrics", "gate_statistics", "mean"), "a"),
    ((*STATE, "shape_probe"), 4),
    ((*STATE, "shape_probe", "shape"), "wide"),
    ((*STATE, "shape_probe", "failure"), 4),
]


@pytest.mark.parametrize(
    ("keys", "value"), WRONG, ids=[f"{keys[-1]}={value!r:.20}" for keys, value in WRONG]
)
def test_a_wrong_value_is_refused_by_its_key_and_changes_nothing(
    tmp_path: Path, keys: tuple[str, ...], value: object
) -> None:
    path, _ = saved(tmp_path)
    payload = torch.load(path, weights_only=True)
    change(payload, keys, value)
    torch.save(payload, path)
    model, _ = make_trained("cnn", SeedStage.SHADOWING, AlphaAlgorithm.ADD)
    before = copy.deepcopy(plain(model.state_dict()))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, model)
    assert keys[-1] in str(caught.value)
    assert plain(model.state_dict()) == before


def test_a_value_that_was_measured_as_nan_is_no_damage(tmp_path: Path) -> None:
    path, model = saved(tmp_path)
    model.slot(SLOT).state.metrics.record_counterfactual(math.nan)
    for average in model.slot(SLOT).monitor.seed.values():
        average.norm.update(math.inf)
    save_checkpoint(path, model, optimizers={}, epoch=1)
    fresh = build("cnn", 2)
    load_checkpoint(path, fresh)
    assert math.isnan(fresh.slot(SLOT).state.metrics.contributions_in_stage[-1])


def test_an_optimizer_state_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    path, model = saved(tmp_path)
    loaded = load_checkpoint(path, model)
    few = SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1)
    with pytest.raises(CheckpointValueError, match="'host'"):
        loaded.restore_optimizer("host", few)


def test_a_plain_state_dict_with_a_wrong_value_is_refused_by_its_key() -> None:
    model, _ = make_trained("cnn", SeedStage.BLENDING, AlphaAlgorithm.GATE)
    state = model.state_dict()
    state[EXTRA[1]]["state"]["stage"] = 77
    fresh: MorphogeneticModel = build("cnn", 2)
    with pytest.raises(CheckpointValueError, match=r"stage.*77"):
        fresh.load_state_dict(state)
