"""The excerpt of a finding for its ticket: whole statements, without blank lines at its ends."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import msgspec

from esper_audit.findings.finding import Finding
from esper_audit.source.syntax.enclosing import blocks, first_line, last_line
from esper_audit.source.syntax.source import Source

LONGEST_STATEMENT = 20  # lines: a longer one stays cut as it was found


def with_whole_statements(finding: Finding, source: Source | None) -> Finding:
    """Return a finding whose excerpt begins and ends between statements.

    The statement of the finding is completed. Neighbours of which only a part was shown are left out.
    """
    line = finding.location.line
    first, last = finding.excerpt_line, finding.excerpt_line + finding.excerpt.count("\n")
    if source is None or finding.excerpt != _text(source, first, last).rstrip("\n"):
        return finding
    for start, end in list(_spans(source.tree.body, first, last)):
        if start <= line <= end and end - start < LONGEST_STATEMENT:
            first, last = min(first, start), max(last, end)
        elif start < first <= end < line:
            first = end + 1
        elif line < start <= last < end:
            last = start - 1
    while first < line and not source.lines[first - 1].strip():
        first += 1
    return msgspec.structs.replace(
        finding, excerpt=_text(source, first, last).rstrip(), excerpt_line=first
    )


def _text(source: Source, first: int, last: int) -> str:
    return "".join(source.lines[first - 1 : last])


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
