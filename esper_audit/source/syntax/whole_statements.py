"""The statements around a line: a range of lines that begins and ends between them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from esper_audit.source.syntax.enclosing import blocks, first_line, last_line
from esper_audit.source.syntax.source import Source

LONGEST_STATEMENT = 20  # lines: a longer one stays cut


def whole_statements(source: Source, line: int, first: int, last: int) -> tuple[int, int]:
    """Return the lines from `first` to `last` around a line, without parts of statements.

    The statement at the line is completed. Neighbours of which there is only a part are left out, and
    so are blank lines at the beginning.
    """
    for start, end in list(_spans(source.tree.body, first, last)):
        if start <= line <= end and end - start < LONGEST_STATEMENT:
            first, last = min(first, start), max(last, end)
        elif start < first <= end < line:
            first = end + 1
        elif line < start <= last < end:
            last = start - 1
    while first < line and not source.lines[first - 1].strip():
        first += 1
    return first, last


def _spans(statements: Iterable[ast.stmt], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the lines of the statements that share a line with those from `first` to `last`.

    Of a compound statement these are the lines of its head. The statements in it follow.
    """
    for statement in statements:
        start, end = first_line(statement), last_line(statement)
        if end < first or start > last:
            continue
        inside = [one for block in blocks(statement) for one in block]
        yield start, max(first_line(inside[0]) - 1, start) if inside else end
        yield from _spans(inside, first, last)
