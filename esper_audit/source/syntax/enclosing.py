"""The statements, functions and classes that enclose a position of a module, found without parent links."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, overload

FUNCTION_TYPES = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef})
Placed = ast.expr | ast.stmt | ast.excepthandler | ast.alias | ast.arg | ast.keyword
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def first_line(statement: ast.stmt) -> int:
    """Return the line on which a statement starts, decorators included."""
    if statement.__class__ in DEFINITIONS:
        decorators: list[ast.expr] = statement.decorator_list  # type: ignore[attr-defined]  # a definition
        return min(statement.lineno, decorators[0].lineno) if decorators else statement.lineno
    return statement.lineno


def last_line(statement: ast.stmt) -> int:
    """Return the line on which a statement ends."""
    return statement.end_lineno or statement.lineno


def blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """Return the lists of statements directly inside a compound statement."""
    get = _BLOCKS.get(statement.__class__)
    return get(statement) if get is not None else []


def block_in(owner: ast.stmt, statement: ast.stmt) -> list[ast.stmt]:
    """Return the block of a compound statement that holds a statement, the statement alone if none does."""
    return next((block for block in blocks(owner) if statement in block), [statement])


def is_within(node: ast.expr | ast.stmt, statements: Iterable[ast.stmt]) -> bool:
    """Return whether a node begins on a line of one of some statements of the same file."""
    return any(first.lineno <= node.lineno <= last_line(first) for first in statements)


def _blocks_of_try(statement: ast.Try | ast.TryStar) -> list[list[ast.stmt]]:
    handlers = [handler.body for handler in statement.handlers]
    return [statement.body, *handlers, statement.orelse, statement.finalbody]


def _blocks_of_match(statement: ast.Match) -> list[list[ast.stmt]]:
    return [case.body for case in statement.cases]


# By class, because most statements have no blocks.
_BLOCKS: dict[type[ast.stmt], Callable[[Any], list[list[ast.stmt]]]] = {
    **dict.fromkeys(DEFINITIONS | {ast.With, ast.AsyncWith}, lambda found: [found.body]),
    **dict.fromkeys(
        (ast.If, ast.For, ast.AsyncFor, ast.While), lambda found: [found.body, found.orelse]
    ),
    **dict.fromkeys((ast.Try, ast.TryStar), _blocks_of_try),
    ast.Match: _blocks_of_match,
}


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
        self._chains: dict[int, list[Definition]] = {-1: []}
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
        return list(self._chain(at))

    def _chain(self, at: int) -> list[Definition]:
        """Return a definition and those around it, outermost first."""
        if at not in self._chains:
            self._chains[at] = [*self._chain(self._above[at]), self._sorted[at]]
        return self._chains[at]


def definitions_in(nodes: Iterable[ast.AST]) -> list[Definition]:
    """Return those nodes that are functions or classes, in order."""
    return [node for node in nodes if isinstance(node, Definition)]


def functions_in(statements: Sequence[ast.stmt]) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return those of an enclosing chain that are functions, outermost first."""
    return [s for s in statements if s.__class__ in FUNCTION_TYPES]


def symbol_of(statements: Sequence[ast.stmt]) -> str:
    """Return the dotted name of the innermost class or function of an enclosing chain."""
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return ".".join(s.name for s in statements if isinstance(s, scopes))


def _containing(block: list[ast.stmt], line: int, column: int) -> ast.stmt | None:
    """Return the statement of a block that contains a position, by bisection over first lines."""
    low, high = 0, len(block)
    while low < high:
        middle = (low + high) // 2
        statement = block[middle]
        # Only its decorators are above the line of a statement, and only on its own line the column counts.
        if statement.lineno >= line and _starts_after(statement, line, column):
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
