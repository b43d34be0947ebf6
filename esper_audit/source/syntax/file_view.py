"""What a rule can ask about a file: nodes by type, scopes, parents, names, spans and code, each computed once."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import TypeVar

from esper_audit.findings.finding import Span
from esper_audit.source.syntax.ast_walk import children, collect
from esper_audit.source.syntax.enclosing import (
    Definition,
    Placed,
    chain_of,
    definitions_in,
    functions_in,
)
from esper_audit.source.syntax.names import Function, dotted
from esper_audit.source.syntax.source import Source
from esper_audit.source.syntax.spans import code_of, span_of

Fact = TypeVar("Fact")
Node = TypeVar("Node", bound=ast.AST)


class FileView:
    """One parsed file. `nodes` are the nodes that the engine has collected already, by type."""

    def __init__(
        self, source: Source, nodes: Mapping[type[ast.AST], list[ast.AST]] | None = None
    ) -> None:
        self.source = source
        self.tree = source.tree
        self._nodes = dict(nodes or {})
        self._sorted: dict[type[ast.AST], list[ast.AST]] = {}
        self._facts: dict[Callable[..., object], object] = {}
        self._chains: dict[ast.AST, list[ast.stmt]] = {}
        self._parents: dict[ast.AST, ast.AST] = {}
        self._opened: set[ast.AST] = set()

    def nodes(self, kind: type[Node]) -> list[Node]:
        """Return all nodes of a type, in the order of their start in the file."""
        if kind not in self._sorted:
            if kind not in self._nodes:
                self._nodes |= collect(self.tree, (kind,))
            self._sorted[kind] = sorted(self._nodes[kind], key=_start)
        return self._sorted[kind]  # type: ignore[return-value]  # the bucket of a type holds that type

    def once(self, compute: Callable[[FileView], Fact]) -> Fact:
        """Return `compute(self)`, computed at the first call only."""
        if compute not in self._facts:
            self._facts[compute] = compute(self)
        return self._facts[compute]  # type: ignore[return-value]  # stored under its own function

    def enclosing(self, node: Placed) -> list[ast.stmt]:
        """Return the statements that enclose a node, outermost first; a statement is its own last."""
        if node not in self._chains:
            self._chains[node] = chain_of(self.tree, node)
        return self._chains[node]

    def definitions(self, node: Placed) -> list[Definition]:
        """Return the functions and classes around a node, outermost first, without the node itself."""
        return [scope for scope in definitions_in(self.enclosing(node)) if scope is not node]

    def functions(self, node: Placed) -> list[Function]:
        """Return the functions around a node, outermost first, without the node itself."""
        return functions_in(self.definitions(node))

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return the node directly above, None for the module."""
        if node not in self._parents and not isinstance(node, ast.Module):
            self._open(self.tree)
            for statement in self.enclosing(node):  # type: ignore[arg-type]  # only the module has no place
                self._open(statement)
        return self._parents.get(node)

    def resolve(self, node: Placed) -> str | None:
        """Return the full dotted name of a name or attribute chain at its place, None if unknown."""
        name = dotted(node)
        return self.source.names.resolve(name, self.functions(node)) if name else None

    def span(self, node: ast.AST) -> Span:
        """Return the place of a node in the file, in characters."""
        return span_of(node, self.source.lines)

    def code(self, node: ast.AST) -> str:
        """Return the source of a node."""
        return code_of(self.span(node), self.source.lines)

    def _open(self, statement: ast.AST) -> None:
        """Record the parents of all nodes of a statement that are not inside a nested statement."""
        if statement in self._opened:
            return
        self._opened.add(statement)
        stack = [statement]
        while stack:
            above = stack.pop()
            for node in children(above):
                self._parents[node] = above
                if not isinstance(node, ast.stmt):
                    stack.append(node)


def _start(node: ast.AST) -> tuple[int, int]:
    return (node.lineno, node.col_offset)  # type: ignore[attr-defined]  # the node types of triggers have places
