"""The joint with torch's compiler: the one file that uses what torch has not made public yet.

`fullgraph=True` is not "no graph break": it captures `.item()` and data-dependent shapes that break in
the default mode. The exact signal is `error_on_graph_break`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, _dynamo, fx

from esper_audit.project.parallel import collector_off

# Dynamo gives a function up after eight graphs, and that would read as a break.
GRAPHS = 64


class Compiled:
    """A function compiled by dynamo alone, that counts its graphs and refuses to break them."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        _dynamo.reset()
        self.graphs = 0
        self._compiled = torch.compile(function, backend=self._count, dynamic=False)

    def _count(self, graph: fx.GraphModule, _examples: list[Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        return graph.forward

    def __call__(self, inputs: Tensor) -> Tensor:
        """Run; a graph break is a GraphBreak."""
        try:
            with (
                _unheard(),
                collector_off(),
                _dynamo.error_on_graph_break(True),
                _dynamo.config.patch(recompile_limit=GRAPHS),
            ):
                return self._compiled(inputs)
        except _dynamo.exc.Unsupported as error:
            raise GraphBreak(f"{error}".split("\n", 1)[0]) from error


@contextmanager
def _unheard() -> Iterator[None]:
    """Keep dynamo's own report of a break off the screen: the reason is in the exception."""
    logger = logging.getLogger("torch._dynamo")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class GraphBreak(Exception):
    """Dynamo could not go on in one graph; the message is its reason."""
