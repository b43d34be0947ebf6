"""The interface to torch's compiler, and the only file that uses private names of torch.

`fullgraph=True` does not detect graph breaks exactly: it captures `.item()` and data-dependent shapes,
which break in the default mode. `error_on_graph_break` does. The import takes longer than that of torch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, _dynamo, fx

from esper_audit.project.workers.parallel import collector_off

# Dynamo stops compiling a function after eight graphs by default, which would look like a break.
GRAPHS = 64


class Compiled:
    """A function compiled by dynamo without code generation.

    It counts graphs and raises at a break.
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        _dynamo.reset()
        self.graphs = 0
        self._compiled = torch.compile(function, backend=self._count, dynamic=False)

    def _count(self, graph: fx.GraphModule, _examples: list[Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        return graph.forward

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the output.

        Raise GraphBreak if the graph breaks.
        """
        try:
            with (
                _muted_dynamo(),
                collector_off(),
                _dynamo.error_on_graph_break(True),
                _dynamo.config.patch(recompile_limit=GRAPHS),
            ):
                return self._compiled(inputs)
        except _dynamo.exc.Unsupported as error:
            raise GraphBreak(f"{error}".split("\n", 1)[0]) from error


@contextmanager
def _muted_dynamo() -> Iterator[None]:
    """Silence dynamo's own report of a break, since the exception has the reason."""
    logger = logging.getLogger("torch._dynamo")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class GraphBreak(Exception):
    """Dynamo broke the graph.

    The message is the reason.
    """
