"""The statements of a function that run after another one on every path from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.source.syntax.enclosing import block_in
from esper_audit.source.syntax.names import Function

ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
STRAIGHT = (ast.With, ast.AsyncWith)


def later_statements(around: Sequence[ast.stmt], function: Function) -> Iterator[ast.stmt]:
    """Yield what runs after a statement, in order, until its path may end or begin anew.

    `around` are the statements that enclose the place, outermost first, and end with the statement
    itself. The blocks of `if` and of loops are yielded as a whole. A loop around the place ends the
    path, since its next turn may come first.
    """
    inside = list(around[around.index(function) :])
    while len(inside) > 1:
        statement = inside.pop()
        for later in _siblings_below(statement, inside[-1]):
            yield from _straight(later)
            if isinstance(later, ENDS):
                return
        if isinstance(inside[-1], (ast.For, ast.AsyncFor, ast.While)):
            return


def _siblings_below(statement: ast.stmt, outer: ast.stmt) -> list[ast.stmt]:
    """Return the statements below one in its block."""
    block = block_in(outer, statement)
    return block[block.index(statement) + 1 :]


def _straight(statement: ast.stmt) -> Iterator[ast.stmt]:
    """Yield a statement, and instead of a `with` what is inside."""
    if not isinstance(statement, STRAIGHT):
        yield statement
        return
    for inner in statement.body:
        yield from _straight(inner)
