"""Nodes of one file by place, so that those inside a statement are a slice of a sorted list."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterable
from functools import cached_property
from operator import attrgetter
from typing import Generic, TypeVar

from esper_audit.source.syntax.enclosing import start_of

Node = TypeVar("Node", bound=ast.AST)
start_of_node = attrgetter("lineno", "col_offset")


class PlacedNodes(Generic[Node]):
    """Some nodes of a file, all of which have places, in the order of their start."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = sorted(nodes, key=start_of_node)

    @cached_property
    def _starts(self) -> list[tuple[int, int]]:
        return list(map(start_of_node, self.nodes))

    def inside(self, statement: ast.stmt) -> list[Node]:
        """Return the nodes in a statement, its decorators and the statement itself included."""
        if not self.nodes:
            return []
        low = bisect_left(self._starts, start_of(statement))
        end = (statement.end_lineno or statement.lineno, statement.end_col_offset or 0)
        return self.nodes[low : bisect_left(self._starts, end, low)]
