"""One decision for all ranks of a data-parallel run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch.distributed as dist

from esper_ref.errors import DistributedError

if TYPE_CHECKING:
    from esper_ref.gates import GateResult


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
            f"rank {dist.get_rank()} at {result.gate.name}: lost the other ranks ({error}); "
            "look at their logs, then restart all from the last checkpoint"
        ) from error
    elsewhere = [rank for rank, (gate, _) in enumerate(answers) if gate != decided.gate]
    if elsewhere:
        raise DistributedError(
            f"ranks {elsewhere} are at another gate than rank 0, which is at {decided.gate.name}; "
            "every rank must move its slots in the same order"
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
