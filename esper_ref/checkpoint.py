"""Checkpoints: a model at any stage, with its optimisers, in one file of plain types."""

from __future__ import annotations

import copy
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from esper_ref.distributed import require_unwrapped
from esper_ref.errors import (
    CheckpointError,
    CheckpointFileError,
    CheckpointKeyError,
    CheckpointValueError,
    CheckpointVersionError,
)
from esper_ref.graft import Graft
from esper_ref.snapshot import FORMAT_VERSION
from esper_ref.strict import mapping, read, require_keys, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.optim import Optimizer

KEYS = ("version", "epoch", "model", "optimizers", "random_state")


@dataclass(frozen=True)
class Checkpoint:
    """What a file held beside the model: where training was, and how to go on from there."""

    epoch: int
    optimizers: Mapping[str, dict[str, object]]
    random_state: Tensor

    def restore_optimizer(self, name: str, optimizer: Optimizer) -> None:
        """Load an optimiser's state, after it was given the loaded model's parameters."""
        if name not in self.optimizers:
            raise CheckpointKeyError(
                f"checkpoint: no optimiser {name!r}; there are {sorted(self.optimizers)}"
            )
        try:
            optimizer.load_state_dict(copy.deepcopy(self.optimizers[name]))
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointValueError(
                f"checkpoint: the state of optimiser {name!r} does not fit: {error}. Give the "
                "optimiser the parameters of the loaded model, in the order they were saved in."
            ) from error

    def restore_random_state(self) -> None:
        """Put the global random stream of the CPU where it was."""
        torch.set_rng_state(self.random_state)


def save_checkpoint(
    path: str | os.PathLike[str],
    model: nn.Module,
    *,
    optimizers: Mapping[str, Optimizer],
    epoch: int,
) -> None:
    """Write everything that the next training step depends on.

    A killed run leaves the old file or the new one: written beside it, synced, then renamed.
    """
    target = Path(path).resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}.partial")
    payload = {
        "version": FORMAT_VERSION,
        "epoch": epoch,
        "model": model.state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
        "random_state": torch.get_rng_state(),
    }
    computes_sums = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(True)  # `load_checkpoint` compares them
    try:
        with beside.open("wb") as file:
            torch.save(payload, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        torch.serialization.set_crc32_options(computes_sums)
        beside.unlink(missing_ok=True)


def load_checkpoint(path: str | os.PathLike[str], model: nn.Module) -> Checkpoint:
    """Load a checkpoint into `model`, rebuilding its seeds, and return the rest of it.

    `model` is built as the saved one was: the same host, slots and rules; what its slots hold
    does not matter. It is changed only if the whole checkpoint fits.
    """
    payload = _read(path)
    rehearsal = copy.deepcopy(model)
    _load(rehearsal, payload["model"], path)
    if any(isinstance(part, Graft) and part.is_active for part in rehearsal.modules()):
        require_unwrapped(model, f"{path}: its seeds are rebuilt")
    _load(model, payload["model"], path)
    return Checkpoint(payload["epoch"], payload["optimizers"], payload["random_state"])


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    source = Path(path)
    with source.open("rb") as file:
        complete = zipfile.is_zipfile(file)  # its directory is at the end of the file
    if not complete:
        raise CheckpointFileError(
            f"{path}: {source.stat().st_size} bytes that are no checkpoint, or not all of one. "
            "Use an earlier one."
        )
    _require_intact(source)
    try:
        payload = torch.load(source, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError) as error:
        raise CheckpointFileError(
            f"{path}: holds more than tensors and plain types, or is damaged: {error}"
        ) from error
    if not isinstance(payload, dict):
        raise CheckpointFileError(f"{path}: holds a {type(payload).__name__}, not a checkpoint")
    if "version" in payload and payload["version"] != FORMAT_VERSION:
        raise CheckpointVersionError(
            f"{path}: got version {payload['version']}, expected {FORMAT_VERSION}. "
            "Load it with the version of the library that wrote it."
        )
    require_keys(f"{path}", payload, KEYS)
    for key, parse in VALUES.items():
        read(f"{path}", payload, key, parse)
    return payload


def _require_intact(source: Path) -> None:
    """Compare every record with the sum that the archive keeps of it: `torch.load` does not."""
    try:
        with zipfile.ZipFile(source) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise CheckpointFileError(f"{source}: is damaged: {error}. Use an earlier one.") from error
    if damaged is not None:
        raise CheckpointFileError(
            f"{source}: the record {damaged} does not match its sum, so the file is damaged. "
            "Use an earlier one."
        )


def _optimizer_states(value: object) -> object:
    return {name: mapping(state) for name, state in mapping(value).items()}


def _random_state(value: object) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError("expected a tensor")
    try:
        torch.Generator().set_state(value)
    except RuntimeError as error:
        raise ValueError(f"expected the state of a random stream ({error})") from error
    return value


VALUES: dict[str, Callable[[object], object]] = {
    "epoch": whole,
    "model": mapping,
    "optimizers": _optimizer_states,
    "random_state": _random_state,
}


def _load(model: nn.Module, state: dict[str, Any], path: str | os.PathLike[str]) -> None:
    for key, value in state.items():
        if not isinstance(value, Tensor | dict):
            raise CheckpointValueError(
                f"{path}: wrong value of key {key!r} (got a {type(value).__name__}, expected a "
                "tensor or a dictionary)"
            )
    try:
        result = model.load_state_dict(state, strict=False)  # the strictness is below, with a name
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: does not fit a {type(model).__name__} built like this one: {error}"
        ) from error
    if result.missing_keys or result.unexpected_keys:
        raise CheckpointKeyError(
            f"{path}: missing keys {result.missing_keys}, unknown keys {result.unexpected_keys}. "
            "Build the model with the host and the slots that were saved."
        )
    for key, value in model.state_dict().items():
        if (
            isinstance(value, Tensor)
            and value.is_floating_point() != state[key].is_floating_point()
        ):
            raise CheckpointValueError(
                f"{path}: wrong value of key {key!r} (got {state[key].dtype}, expected "
                f"{value.dtype})"
            )
