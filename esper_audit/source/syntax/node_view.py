"""The view of a LibCST slice for rules: names, parents, positions and code of a node, computed on demand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeVar

from esper_audit.source.syntax import cst
from esper_audit.source.syntax.ast_walk import walk as walk_ast
from esper_audit.source.syntax.cst_walk import children
from esper_audit.source.syntax.enclosing import Definition, chain, definitions_in, functions_in
from esper_audit.source.syntax.names import Function
from esper_audit.source.syntax.source import Source

Node = TypeVar("Node", bound="cst.CSTNode")


class View:
    """One slice of a file as LibCST read it, with the whole file's `ast` behind it.

    `first_line` is the file's line on which the slice starts; `shift` the lines that were put in
    front of it so that it parses.
    """

    def __init__(
        self,
        source: Source,
        module: cst.Module,
        statement: ast.stmt | None,
        first_line: int,
        shift: int,
    ) -> None:
        self.source = source
        self.module = module
        self._statement = statement
        self.line_offset = first_line - 1 - shift
        self._parents: dict[cst.CSTNode, cst.CSTNode] | None = None
        self._twins: dict[cst.CSTNode, Definition] | None = None

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """Return the node directly above, None for the slice's module."""
        if self._parents is None:
            self._parents = {}
            stack: list[cst.CSTNode] = [self.module]
            while stack:
                above = stack.pop()
                for child in children(above):
                    self._parents[child] = above
                    stack.append(child)
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """Yield the nodes above, nearest first."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def enclosing(self, node: cst.CSTNode, kind: type[Node]) -> Node | None:
        """Return the nearest node above that is of a kind, or None if the slice has none."""
        return next((above for above in self.ancestors(node) if isinstance(above, kind)), None)

    def resolve(self, node: cst.CSTNode) -> str | None:
        """Return the full dotted name that a name or attribute chain refers to here, else None."""
        name = dotted(node)
        return self.source.names.resolve(name, self.functions(node)) if name else None

    def functions(self, node: cst.CSTNode) -> list[Function]:
        """Return the `ast` functions around a node, outermost first."""
        return functions_in(self.definitions(node))

    def definitions(self, node: cst.CSTNode) -> list[Definition]:
        """Return the `ast` functions and classes around a node, outermost first."""
        inner = [
            self._twin(above)
            for above in self.ancestors(node)
            if isinstance(above, (cst.FunctionDef, cst.ClassDef))
        ]
        return [*self._outer_definitions(), *reversed(inner)]

    def code(self, node: cst.CSTNode) -> str:
        """Return the source of a node."""
        return self.module.code_for_node(node)

    def _outer_definitions(self) -> list[Definition]:
        if self._statement is None:
            return []
        enclosing = chain(self.source.tree, self._statement.lineno, self._statement.col_offset)
        return definitions_in(enclosing[: enclosing.index(self._statement)])

    def _twin(self, definition: cst.CSTNode) -> Definition:
        """Return the `ast` node of a function or class: both trees hold the same in the same order."""
        if self._twins is None:
            ours = definitions_in(walk_ast(self._statement or self.source.tree))
            self._twins = dict(zip(_definitions_below(self.module), ours, strict=True))
        return self._twins[definition]


def dotted(node: cst.CSTNode) -> str:
    """Return `a.b.c` for a chain of attributes that starts at a name, else an empty string."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return ""
    return ".".join([node.value, *reversed(parts)])


def _definitions_below(root: cst.CSTNode) -> list[cst.CSTNode]:
    found: list[cst.CSTNode] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
            found.append(node)
        stack.extend(reversed(children(node)))
    return found
