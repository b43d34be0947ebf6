"""The monitor `ranks-agree`: after a step every rank has the same parameters."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from torch import Tensor

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor, parameters_of
from esper_audit.watch.records import Measured

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine

SAMPLE = 64  # values of each parameter


class RanksAgree(Monitor):
    """Ranks train different networks.

    What: after each of the first steps, some values of every parameter of an optimizer, compared between
    the ranks of the run.

    Why: replicas that part are averaged into nonsense at the next exchange, and only one is saved.

    Quiet: runs of one process, and runs whose optimizers hold different shapes on each rank (shards).

    Tickets: real code
    """

    contract = "rank-agreement"
    category = Category.RACE_CONDITION
    severity = Severity.P1
    nothing = "one process, or no optimizer stepped"

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """Write what the ranks are compared by."""
        if not self.run.is_ranked:
            return
        self.look(place)
        own = parameters_of(optimizer)
        shapes = hashlib.sha256(repr([tuple(p.shape) for p in own]).encode()).hexdigest()[:8]
        key = f"step {self.run.step} of {len(own)} parameters {shapes}"
        self.run.compare(Measured(self.id, "parted", key, _digest(own), place))


def _digest(parameters: list[Tensor]) -> str:
    found = hashlib.sha256()
    for parameter in parameters:
        found.update(parameter.detach().flatten()[:SAMPLE].cpu().double().numpy().tobytes())
    return found.hexdigest()[:16]
