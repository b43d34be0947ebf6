"""One decision for all ranks of a data-parallel run."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING

import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from esper_ref.errors import DistributedError

if TYPE_CHECKING:
    from torch import nn

    from esper_ref.gates import GateResult


def require_unwrapped(part: nn.Module, what: str) -> None:
    """Refuse `what` in a module that a DistributedDataParallel holds.

    DistributedDataParallel takes the parameters down when it is made. The gradients of a seed that
    comes later are never averaged, and the ranks part in silence. A module does not know what holds
    it, so the living objects are searched: once for each germination, and only among several ranks.
    """
    if not (dist.is_available() and dist.is_initialized() and _is_wrapped(part)):
        return
    gc.collect()  # a wrapper that was given up lives on in a circle of references
    if _is_wrapped(part):
        raise DistributedError(
            f"{what}: the model is inside a DistributedDataParallel, which would never average "
            "the gradients of a new seed. Unwrap it, germinate on every rank, then wrap it again: "
            "DDP(model). Keep no reference to the old wrapper (model = ddp.module; del ddp)."
        )


def _is_wrapped(part: nn.Module) -> bool:
    # By type: to ask an arbitrary object for its class may run code of its own.
    wrappers = [o for o in gc.get_objects() if issubclass(type(o), DistributedDataParallel)]
    return any(module is part for wrapper in wrappers for module in wrapper.modules())


def sync_gate_decision(result: GateResult) -> GateResult:
    """Return rank 0's decision on every rank.

    Without a process group, return `result` itself.

    Every rank measures on its own share of the data, so their evidence differs. A network whose
    architecture differs between ranks cannot be trained: at every gate all take the decision of
    rank 0, by broadcast. The ranks whose own evidence said otherwise are recorded in
    `ranks_differing`, the same on all. A rank that does not come fails the others within the
    process group's timeout, at once if it died.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return result
    try:
        decided, answers = _exchange(result)
    except RuntimeError as error:
        raise DistributedError(
            f"rank {dist.get_rank()} at {result.gate.name}: lost the other ranks ({error}). "
            "Look at their logs, then restart all from the last checkpoint."
        ) from error
    elsewhere = [rank for rank, (gate, _) in enumerate(answers) if gate != decided.gate]
    if elsewhere:
        raise DistributedError(
            f"ranks {elsewhere} are at another gate than rank 0, which is at {decided.gate.name}. "
            "Move the slots in the same order on every rank."
        )
    differing = tuple(rank for rank, (_, said) in enumerate(answers) if said != decided.passed)
    return replace(decided, ranks_differing=differing)


def _exchange(result: GateResult) -> tuple[GateResult, list[tuple[int, bool]]]:
    """Return rank 0's result, and from each rank its gate and whether it passed there."""
    box = [result]
    dist.broadcast_object_list(box, src=0)
    answers: list[tuple[int, bool]] = [(0, False)] * dist.get_world_size()
    dist.all_gather_object(answers, (int(result.gate), result.passed))
    return box[0], answers
