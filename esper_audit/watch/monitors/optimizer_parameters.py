"""The monitor `optimizer-parameters`: an optimizer holds exactly what trains."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING
from weakref import WeakSet

from torch import Tensor, nn

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor, parameters_of

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run

LATEST_BUILT = 2  # optimizer steps by which a second optimizer is there, if there is one


class OptimizerParameters(Monitor):
    """An optimizer holds what no longer trains, or lacks what does.

    What: at `step`, parameters of an optimizer that no module holds any more and that get no gradient
    (a head that was replaced, a model that was built again), an optimizer none of whose parameters has
    a gradient, and, from the third step on, parameters with a gradient that no optimizer holds.

    Why: the loss falls a little and training looks alive, while a part of the network never changes.

    Quiet: frozen parameters, tensors that are optimized without a module, modules that a step leaves
    out, and a second optimizer that is built before the third step.

    Tickets: real code
    """

    contract = "optimizer-parameters"
    category = Category.CORRECTNESS
    severity = Severity.P1
    nothing = "no optimizer stepped"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.built: dict[int, UserLine] = {}
        self.held: set[int] = set()
        self.called: WeakSet[nn.Module] = WeakSet()
        self.idle: frozenset[int] = frozenset()  # parameters without a gradient that were asked for

    def module_ended(self, module: nn.Module, output: object) -> None:
        """Record the modules that run in the first steps."""
        if self.run.step <= LATEST_BUILT:
            self.called.add(module)

    def optimizer_built(self, optimizer: Optimizer, place: UserLine) -> None:
        """Record where it was built."""
        self.built[id(optimizer)] = place

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """Ask for gradients and owners of what the optimizer holds."""
        self.look(place)
        own = parameters_of(optimizer)
        self.held.update(map(id, own))
        built = self.built.get(id(optimizer), place)
        idle = [p for p in own if p.grad is None and p.requires_grad]
        if all(not p.requires_grad for p in own):
            message = (
                f"all {len(own)} parameters of the optimizer are frozen: step() changes nothing"
            )
            self.report("frozen", built, message, parameters=len(own))
            return
        found = frozenset(map(id, idle))
        if found == self.idle:  # a search of all objects is worth its time once
            return
        self.idle = found
        live = _parameters_of_modules()
        stale = [p for p in idle if id(p) not in live]
        if stale:
            sizes = ", ".join(f"{tuple(p.shape)}" for p in stale[:3])
            message = (
                f"the optimizer holds {len(stale)} parameters that belong to no module any more "
                f"({sizes}): they were replaced after it was built. Build it after the replacement"
            )
            self.report("stale", built, message, stale=len(stale), held=len(own))

    def step_ended(self, optimizer: Optimizer, place: UserLine) -> None:
        """Ask for parameters that have a gradient and no optimizer."""
        own = parameters_of(optimizer)
        self.held.update(map(id, own))
        if all(p.grad is None for p in own) and any(p.requires_grad for p in own):
            message = "no parameter of the optimizer has a gradient: step() changes nothing"
            self.report("no-gradient", self.built.get(id(optimizer), place), message, held=len(own))
        if self.run.step != LATEST_BUILT:
            return
        lost = {
            id(p): f"{type(module).__name__}.{name} {tuple(p.shape)}"
            for module in self.called
            for name, p in module.named_parameters(recurse=False)
            if p.grad is not None and p.requires_grad and id(p) not in self.held and p.grad.any()
        }
        if lost:
            names = ", ".join(list(lost.values())[:3])
            message = f"{len(lost)} parameters get gradients and are in no optimizer ({names})"
            self.report("missing", self.built.get(id(optimizer), place), message, missing=len(lost))


def _modules() -> list[nn.Module]:
    return [found for found in gc.get_objects() if issubclass(type(found), nn.Module)]


def _parameters_of_modules() -> set[int]:
    held: set[int] = set()
    for module in _modules():
        held.update(id(p) for p in module.parameters(recurse=False) if isinstance(p, Tensor))
    return held
