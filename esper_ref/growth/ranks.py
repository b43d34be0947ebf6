"""Data parallelism: what the processes of one `torchrun` share, and which of them writes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor, nn

from esper_ref.growth.plan import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BACKENDS = {"cuda": "nccl"}  # gloo for every other device


@contextmanager
def joined(device: str) -> Iterator[torch.device]:
    """Join the other processes if `torchrun` started this one, and yield its device."""
    together = "WORLD_SIZE" in os.environ
    numbered = together and device == "cuda"
    own = require_device(f"{device}:{os.environ['LOCAL_RANK']}" if numbered else device)
    if not together:
        yield own
        return
    dist.init_process_group(BACKENDS.get(device, "gloo"))
    try:
        yield own
        dist.barrier()  # leave together: a rank that goes while another still writes may abort
    finally:
        dist.destroy_process_group()


def require_device(name: str) -> torch.device:
    """Return a device that a tensor can be put on, or raise PlanError with the reason."""
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # unknown; known, but not in this build
        reason = str(error).splitlines()[0]
        raise PlanError(
            f"cannot use device {name!r}: {reason}. Use cpu, which is always there."
        ) from error


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Return the rank of this process.

    Rank 0, which a single process has too, is the one that writes.
    """
    return dist.get_rank() if _together() else 0


def world_size() -> int:
    """Return the number of processes that share the work."""
    return dist.get_world_size() if _together() else 1


def own_share(indices: Tensor) -> Tensor:
    """Return this process's part of a batch: every n-th sample."""
    return indices[rank() :: world_size()]


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every process the mean of all processes' gradients, in one exchange.

    A gradient is missing on all ranks or on none: they run the same stages.
    """
    if not _together():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world_size()
    done = 0
    for gradient in gradients:
        gradient.copy_(flat[done : done + gradient.numel()].view_as(gradient))
        done += gradient.numel()


def total(values: Tensor) -> Tensor:
    """Return the sum over all processes."""
    if _together():
        dist.all_reduce(values)
    return values


def broadcast_state(model: nn.Module) -> None:
    """Give every process rank 0's weights and running statistics."""
    if not _together():
        return
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            dist.broadcast(tensor, src=0)
