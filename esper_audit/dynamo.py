"""The joint with torch's compiler: the one file that uses what torch has not made public yet.

`fullgraph=True` is not "no graph break": it captures `.item()` and data-dependent shapes that break in
the default mode. The exact signal is `error_on_graph_break`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch._dynamo
from torch import Tensor, fx


class Compiled:
    """A function compiled by dynamo alone, that counts its graphs and refuses to break them."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        torch._dynamo.reset()
        self.graphs = 0
        self._compiled = torch.compile(function, backend=self._count)

    def _count(self, graph: fx.GraphModule, _examples: list[Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        return graph.forward

    def __call__(self, inputs: Tensor) -> Tensor:
        """Run; a graph break is a GraphBreak."""
        try:
            with torch._dynamo.error_on_graph_break(True):
                return self._compiled(inputs)
        except torch._dynamo.exc.Unsupported as error:
            raise GraphBreak(f"{error}".split("\n", 1)[0]) from error


class GraphBreak(Exception):
    """Dynamo could not go on in one graph; the message is its reason."""
