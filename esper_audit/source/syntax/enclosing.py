"""The statements, functions and classes that enclose a position of a module, found without parent links."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import overload

FUNCTION_TYPES = (ast.FunctionDef, ast.AsyncFunctionDef)
Placed = ast.expr | ast.stmt | ast.excepthandler | ast.alias | ast.arg | ast.keyword
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def first_line(statement: ast.stmt) -> int:
    """Return the line on which a statement starts, decorators included."""
    if isinstance(statement, Definition) and statement.decorator_list:
        return min(statement.lineno, statement.decorator_list[0].lineno)
    return statement.lineno


def last_line(statement: ast.stmt) -> int:
    """Return the line on which a statement ends."""
    return statement.end_lineno or statement.lineno


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the lists of statements directly inside a compound statement."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.body
    elif isinstance(statement, (ast.If, ast.For, ast.AsyncFor, ast.While)):
        yield statement.body
        yield statement.orelse
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        yield statement.body
    elif isinstance(statement, (ast.Try, ast.TryStar)):
        yield statement.body
        for handler in statement.handlers:
            yield handler.body
        yield statement.orelse
        yield statement.finalbody
    elif isinstance(statement, ast.Match):
        for case in statement.cases:
            yield case.body


def chain(tree: ast.Module, line: int, column: int) -> list[ast.stmt]:
    """Return the statements that enclose a position, outermost first (line from 1, column in bytes from 0)."""
    found: list[ast.stmt] = []
    inside = _containing(tree.body, line, column)
    while inside is not None:
        found.append(inside)
        nested = (_containing(block, line, column) for block in blocks(inside))
        inside = next((statement for statement in nested if statement is not None), None)
    return found


def chain_of(tree: ast.Module, node: Placed) -> list[ast.stmt]:
    """Return the statements that enclose a node, ending with the node itself if it is a statement."""
    statements = chain(tree, node.lineno, node.col_offset)
    return statements[: statements.index(node) + 1] if node in statements else statements


class Enclosing(Sequence[ast.stmt]):
    """The statements that enclose a node, outermost first, found on demand."""

    def __init__(self, tree: ast.Module, node: ast.expr | ast.stmt | ast.excepthandler) -> None:
        self._tree = tree
        self._node = node

    @cached_property
    def _statements(self) -> list[ast.stmt]:
        return chain_of(self._tree, self._node)

    @overload
    def __getitem__(self, index: int) -> ast.stmt: ...
    @overload
    def __getitem__(self, index: slice) -> list[ast.stmt]: ...
    def __getitem__(self, index: int | slice) -> ast.stmt | list[ast.stmt]:
        return self._statements[index]

    def __len__(self) -> int:
        return len(self._statements)


class DefinitionIndex:
    """The functions and classes of a module by their places, so that a query is a bisection."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._sorted = sorted(definitions, key=start_of)
        self._starts = [start_of(definition) for definition in self._sorted]
        self._ends = [(last_line(d), d.end_col_offset or 0) for d in self._sorted]
        self._above: list[int] = []
        open_ones: list[int] = []
        for position, start in enumerate(self._starts):
            while open_ones and self._ends[open_ones[-1]] < start:
                open_ones.pop()
            self._above.append(open_ones[-1] if open_ones else -1)
            open_ones.append(position)

    def around(self, line: int, column: int) -> list[Definition]:
        """Return the definitions that enclose a position, outermost first: those of its `chain`."""
        place = (line, column)
        at = bisect_right(self._starts, place) - 1
        while at >= 0 and self._ends[at] < place:
            at = self._above[at]
        found: list[Definition] = []
        while at >= 0:
            found.append(self._sorted[at])
            at = self._above[at]
        found.reverse()
        return found


def definitions_in(nodes: Iterable[ast.AST]) -> list[Definition]:
    """Return those nodes that are functions or classes, in order."""
    return [node for node in nodes if isinstance(node, Definition)]


def functions_in(statements: Sequence[ast.stmt]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return those of an enclosing chain that are functions, outermost first."""
    return [s for s in statements if isinstance(s, FUNCTION_TYPES)]


def symbol_of(statements: Sequence[ast.stmt]) -> str:
    """Return the dotted name of the innermost class or function of an enclosing chain."""
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return ".".join(s.name for s in statements if isinstance(s, scopes))


def _containing(block: list[ast.stmt], line: int, column: int) -> ast.stmt | None:
    """Return the statement of a block that contains a position, by bisection over first lines."""
    low, high = 0, len(block)
    while low < high:
        middle = (low + high) // 2
        if _starts_after(block[middle], line, column):
            high = middle
        else:
            low = middle + 1
    if low == 0:
        return None
    statement = block[low - 1]
    end = (last_line(statement), statement.end_col_offset or 0)
    return statement if (line, column) <= end else None


def _starts_after(statement: ast.stmt, line: int, column: int) -> bool:
    return start_of(statement) > (line, column)


def start_of(statement: ast.stmt) -> tuple[int, int]:
    """Return the line and the column at which a statement starts, decorators included."""
    start = first_line(statement)
    return (start, statement.col_offset if start == statement.lineno else 0)
