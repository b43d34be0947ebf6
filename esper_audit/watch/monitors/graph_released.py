"""The monitor `graph-released`: the graph of a step is let go with the step."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from esper_audit.findings.finding import Category, Severity
from esper_audit.watch.monitor import Monitor

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from esper_audit.watch.records import UserLine
    from esper_audit.watch.run import Run

MOST_ALIVE = 3  # losses of earlier steps that a loop may hold: names that the next step binds again
KEY = "esper-audit"


class NodeToken:
    """Lives as long as the node of a graph that holds it."""


class GraphReleased(Monitor):
    """The graphs of earlier steps are still alive.

    What: the nodes of more than three losses of earlier steps are alive, and more with every step.

    Why: memory grows with the steps (`total += loss` keeps every graph), and the run ends out of memory.

    Quiet: the loss of the last step, losses that are summed before one backward pass.

    Tickets: real code
    """

    contract = "released-graph"
    category = Category.MEMORY_RESOURCE
    severity = Severity.P1
    nothing = "no backward pass"

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.tokens: list[tuple[int, weakref.ref[NodeToken], UserLine]] = []
        self.most = 0

    def backward_begins(self, loss: Tensor, place: UserLine) -> None:
        """Put a token on the node of the loss."""
        if loss.grad_fn is not None:
            self.look(place)
            token = NodeToken()
            loss.grad_fn.metadata[KEY] = token  # type: ignore[index]  # the stub has a method
            self.tokens.append((self.run.step, weakref.ref(token), place))

    def step_begins(self, optimizer: Optimizer, place: UserLine) -> None:
        """Count the nodes of earlier steps that are alive."""
        self.tokens = [found for found in self.tokens if found[1]() is not None]
        earlier = [found for found in self.tokens if found[0] < self.run.step]
        steps = len({step for step, _, _ in earlier})
        if steps > MOST_ALIVE and steps > self.most:
            line = earlier[-1][2]
            message = (
                f"the graphs of the losses of {steps} earlier steps are alive: a value keeps them. "
                "Keep loss.item() or loss.detach()"
            )
            self.report("kept", line, message, steps=steps)
        self.most = max(self.most, steps)
