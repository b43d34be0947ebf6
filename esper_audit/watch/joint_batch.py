"""The gradient of the batches of an accumulated step as one batch, computed in a forked process."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

MOST_BYTES = 64 * 2**20  # of the joint inputs
PATIENCE = 10.0  # seconds for the forked process


@dataclass(frozen=True)
class MicroBatch:
    """A call of a module, and the loss of torch that was computed from its output."""

    module: nn.Module
    inputs: tuple[Tensor, ...]
    loss: str
    arguments: Mapping[str, Any]


class MicroBatches:
    """The batches since the last step, as far as they can be computed once more."""

    def __init__(self) -> None:
        self.batches: list[MicroBatch] = []
        self._call: tuple[nn.Module, tuple[Tensor, ...]] | None = None
        self._output = 0  # the id of what the last call returned

    def begin_call(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        """Keep the inputs of a call that no graph hangs on."""
        tensors = tuple(value for value in inputs if isinstance(value, Tensor))
        is_plain = len(tensors) == len(inputs) and not any(t.requires_grad for t in tensors)
        self._call = (module, tensors) if is_plain and tensors else None

    def end_call(self, output: object) -> None:
        """Note which output belongs to the call."""
        self._output = id(output)

    def add_loss(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Keep a batch if its loss takes the output of the last call as it is."""
        call, self._call = self._call, None
        if call is not None and id(arguments["input"]) == self._output:
            given = {key: value for key, value in arguments.items() if key != "input"}
            self.batches.append(MicroBatch(*call, name, given))

    @property
    def is_one_batch(self) -> bool:
        """Return whether every call had the same inputs, as that of several tasks has."""
        inputs = {tuple(map(id, batch.inputs)) for batch in self.batches}
        return len(self.batches) > 1 and len(inputs) == 1

    def clear(self) -> None:
        """Let the batches go."""
        self.batches, self._call = [], None

    def gradient_ratio(self, passes: int) -> float | None:
        """Return how many times the gradient of the joint batch the accumulated gradient is.

        The projection of the one on the other, so that dropout changes it little. None where some batch
        was not kept, is too large, is not on the CPU, or belongs to one of several ranks.
        """
        if len(self.batches) != passes or not _is_small(self.batches) or "fork" not in vars(os):
            return None
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return None
        return _in_fork(lambda: _ratio(self.batches))


def _is_small(batches: Sequence[MicroBatch]) -> bool:
    """Return whether the joint batch fits, is in the memory of this process, and needs no compiler."""
    tensors = [tensor for batch in batches for tensor in batch.inputs]
    parameters = [p for batch in batches for p in batch.module.parameters()]
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    is_compiled = any("_orig_mod" in dict(batch.module.named_children()) for batch in batches)
    is_here = all(tensor.device.type == "cpu" for tensor in [*tensors, *parameters])
    return size <= MOST_BYTES and is_here and not is_compiled


def _ratio(batches: Sequence[MicroBatch]) -> float:
    """Return the ratio. Runs in a copy of the process, so it changes gradients and buffers at will."""
    held = [p for p in batches[0].module.parameters() if p.grad is not None]
    accumulated = [p.grad.clone() for p in held if p.grad is not None]
    for parameter in held:
        parameter.grad = None
    first = batches[0]
    inputs = [torch.cat(parts) for parts in zip(*(b.inputs for b in batches), strict=True)]
    targets = torch.cat([batch.arguments["target"] for batch in batches])
    with torch.enable_grad():
        arguments = {**first.arguments, "target": targets}
        loss = vars(functional)[first.loss](first.module(*inputs), **arguments)
        loss.backward()
    joint = [torch.zeros_like(p) if p.grad is None else p.grad for p in held]
    along = sum(
        float((a.double() * j.double()).sum()) for a, j in zip(accumulated, joint, strict=True)
    )
    return along / sum(float(j.double().square().sum()) for j in joint)


def _in_fork(measure: Callable[[], float]) -> float | None:
    """Return what a function measures in a copy of this process, None if it raises or takes too long."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            torch.set_num_threads(1)  # the threads of this process are not in its copy
            os.write(writer, repr(measure()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        is_ready = bool(select.select([answers], [], [], PATIENCE)[0])
        if not is_ready:
            os.kill(child, signal.SIGKILL)
        answer = answers.read() if is_ready else b""
    os.waitpid(child, 0)
    return float(answer) if answer else None
