"""Queries of a rule about one file: nodes by type, scopes, parents, names, spans and code."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TypeVar

from esper_audit.findings.finding import Span
from esper_audit.source.syntax.ast_walk import children, collect
from esper_audit.source.syntax.enclosing import (
    DEFINITIONS,
    Definition,
    DefinitionIndex,
    Placed,
    chain_of,
    first_line,
    functions_in,
)
from esper_audit.source.syntax.names import Function, dotted, terminal_name
from esper_audit.source.syntax.placed_nodes import PlacedNodes
from esper_audit.source.syntax.source import Source
from esper_audit.source.syntax.spans import (
    code_of,
    name_span_of,
    pairs_around,
    parenthesised,
    span_of,
    text_with_comments,
)

Fact = TypeVar("Fact")
Node = TypeVar("Node", bound=ast.AST)


class FileView:
    """One parsed file, each fact computed at its first query.

    `nodes` are the nodes that the engine has collected already, by type.
    """

    def __init__(
        self, source: Source, nodes: Mapping[type[ast.AST], list[ast.AST]] | None = None
    ) -> None:
        self.source = source
        self.tree = source.tree
        self._nodes = dict(nodes or {})
        self._placed: dict[type[ast.AST], PlacedNodes[ast.AST]] = {}
        self._facts: dict[Callable[..., object], object] = {}
        self._chains: dict[ast.AST, list[ast.stmt]] = {}
        self._parents: dict[ast.AST, ast.AST] = {}
        self._opened: set[ast.AST] = set()
        self._calls: dict[str, list[int]] | None = None

    def nodes(self, kind: type[Node]) -> list[Node]:
        """Return all nodes of a type, in the order of their start in the file."""
        return self._of_kind(kind).nodes  # type: ignore[return-value]  # the list of a type holds that type

    def calls(self, *names: str) -> list[ast.Call]:
        """Return the calls of functions with one of some last names, in the order of their start."""
        if self._calls is None:
            self._calls = defaultdict(list)
            for number, call in enumerate(self.nodes(ast.Call)):
                self._calls[terminal_name(call.func)].append(number)
        found = [self._calls[name] for name in names if name in self._calls]
        numbers = found[0] if len(found) == 1 else sorted(n for some in found for n in some)
        every = self.nodes(ast.Call) if numbers else []
        return [every[number] for number in numbers]

    def inside(self, statement: ast.stmt, *kinds: type[Node]) -> list[Node]:
        """Return the nodes of some types in a statement, itself included, each type in file order."""
        return [n for kind in kinds for n in self._of_kind(kind).inside(statement)]  # type: ignore[misc]  # likewise

    def once(self, compute: Callable[[FileView], Fact]) -> Fact:
        """Return `compute(self)`, computed at the first call only."""
        if compute not in self._facts:
            self._facts[compute] = compute(self)
        return self._facts[compute]  # type: ignore[return-value]  # stored under its own function

    def forget(self) -> None:
        """Drop all facts, some of which hold this view and with it the whole tree."""
        for facts in (self._nodes, self._placed, self._facts, self._chains, self._parents):
            facts.clear()
        self._opened.clear()
        self._calls = None

    def enclosing(self, node: Placed) -> list[ast.stmt]:
        """Return the statements that enclose a node, outermost first, ending with a statement itself."""
        if node not in self._chains:
            self._chains[node] = chain_of(self.tree, node)
        return self._chains[node]

    def definitions(self, node: Placed) -> list[Definition]:
        """Return the functions and classes around a node, outermost first, without the node itself."""
        around = self.once(_definition_index).around(node.lineno, node.col_offset)
        if node.__class__ in DEFINITIONS:
            return [scope for scope in around if scope is not node]
        return around

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
        """Return the place of a node in the file, in characters, without parentheses around it."""
        return span_of(node, self.source.lines)

    def code(self, node: ast.AST, *, parentheses: bool = False) -> str:
        """Return the source of a node, with `parentheses` including those around it.

        Later lines lose the indentation of the innermost statement around the node.
        """
        span = self.span(node)
        if parentheses:
            span = parenthesised(span, self.source.lines, self._parentheses(node, span))
        code = code_of(span, self.source.lines)
        if "\n" not in code or isinstance(node, ast.stmt):
            return code
        statements = self.enclosing(node)  # type: ignore[arg-type]  # a node with a span has a place
        indent = " " * statements[-1].col_offset if statements else ""
        return code.replace(f"\n{indent}", "\n")

    def is_parenthesised(self, node: ast.AST) -> bool:
        """Return whether parentheses that belong to no call or class are around a node."""
        return self._parentheses(node, self.span(node)) > 0

    def text(self, node: ast.stmt) -> str:
        """Return the whole lines of a statement, decorators included."""
        return "".join(self.source.lines[first_line(node) - 1 : node.end_lineno])

    def code_with_comments(self, node: ast.stmt | ast.excepthandler) -> str:
        """Return the source of a statement or clause with the comments above, inside and below it."""
        return text_with_comments(node, self.source.lines)

    def is_on_header_line(self, statement: ast.stmt) -> bool:
        """Return whether the first statement of a block is on the line of the block's colon."""
        line = self.source.lines[first_line(statement) - 1]
        return bool(line.encode()[: statement.col_offset].strip()) and not isinstance(
            statement, Definition
        )

    def name_span(self, definition: Definition) -> Span:
        """Return the place of the name of a function or class."""
        return name_span_of(definition, self.source.lines)

    def _of_kind(self, kind: type[ast.AST]) -> PlacedNodes[ast.AST]:
        """Return the nodes of a type, by place."""
        if kind not in self._placed:
            if kind not in self._nodes:
                self._nodes |= collect(self.tree, (kind,))
            self._placed[kind] = PlacedNodes(self._nodes[kind])
        return self._placed[kind]

    def _parentheses(self, node: ast.AST, span: Span) -> int:
        """Return the number of pairs of parentheses around a node that belong to no call or class."""
        pairs = pairs_around(span, self.source.lines)
        above = self.parent(node) if pairs else None
        if isinstance(above, ast.Call) and node is not above.func:
            return pairs - (len(above.args) + len(above.keywords) == 1)
        return pairs - 1 if isinstance(above, ast.ClassDef) else pairs

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


def _definition_index(file: FileView) -> DefinitionIndex:
    functions: list[Definition] = [*file.nodes(ast.FunctionDef)]
    functions += file.nodes(ast.AsyncFunctionDef)
    return DefinitionIndex([*functions, *file.nodes(ast.ClassDef)])
