"""Runs of statements that stand in a tree more than once, each group of them once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.idioms.duplication.statement_fingerprints import Shaped, StatementBlock
from esper_audit.source.syntax.enclosing import last_line


class StatementRun(NamedTuple):
    """Some statements of a block, one after the other."""

    block: StatementBlock
    start: int
    end: int

    @property
    def statements(self) -> list[Shaped]:
        """The statements."""
        return self.block.statements[self.start : self.end]

    @property
    def place(self) -> tuple[str, int]:
        """The file, and the line on which the run begins."""
        return self.block.path, self.block.statements[self.start].node.lineno

    @property
    def lines(self) -> range:
        """The lines from the first statement to the last."""
        statements = self.statements
        return range(statements[0].node.lineno, last_line(statements[-1].node) + 1)


class Clone(NamedTuple):
    """A run that stands somewhere else before; `copies` counts all of them."""

    first: StatementRun
    again: StatementRun
    copies: int

    @property
    def size(self) -> int:
        """The lines that the run counts for."""
        return sum(statement.lines for statement in self.again.statements)


def clones(found: Sequence[StatementBlock], least: int) -> Iterator[Clone]:
    """Yield each run of at least `least` lines that stands twice, at its second place, outer runs first."""
    covered: dict[str, set[int]] = defaultdict(set)
    for first, *others in _groups(found, least):
        told: StatementRun | None = None
        for other in others:
            if other.lines.start in covered[other.block.path] or _overlaps(first, other):
                continue
            longer = _extended(first, other)
            covered[other.block.path].update(longer.lines)
            told = told or longer
        if told is not None:
            yield Clone(first, told, 1 + len(others))


def _groups(found: Sequence[StatementBlock], least: int) -> list[list[StatementRun]]:
    """Return the shortest runs that are long enough and equal, each group by place."""
    windows: dict[tuple[object, ...], list[StatementRun]] = defaultdict(list)
    for block in found:
        for run in _windows(block, least):
            windows[tuple(statement.shape for statement in run.statements)].append(run)
    groups: dict[tuple[object, ...], list[StatementRun]] = defaultdict(list)
    for shapes, runs in windows.items():
        for run in runs if len(runs) > 1 else ():
            groups[(*shapes, _numbered(run))].append(run)
    sorted_groups = [sorted(runs, key=_by_place) for runs in groups.values() if len(runs) > 1]
    return sorted(sorted_groups, key=lambda runs: (runs[0].block.depth, runs[1].place))


def _windows(block: StatementBlock, least: int) -> Iterator[StatementRun]:
    """Yield from each statement on the shortest run that counts for enough lines."""
    lines = [statement.lines for statement in block.statements]
    end, sum_ = 0, 0
    for start in range(len(lines)):
        while sum_ < least and end < len(lines):
            sum_ += lines[end]
            end += 1
        if sum_ < least:
            return
        yield StatementRun(block, start, end)
        sum_ -= lines[start]


def _numbered(run: StatementRun) -> tuple[int, ...]:
    """Return a run's local names as numbers in the order in which they first appear."""
    numbers: dict[str, int] = {}
    names = [name for statement in run.statements for name in statement.locals]
    return tuple(numbers.setdefault(name, len(numbers)) for name in names)


def _extended(first: StatementRun, other: StatementRun) -> StatementRun:
    """Return the second run with all that follows in both and is equal, too."""
    length = 0
    for mine, theirs in zip(
        first.block.statements[first.end :], other.block.statements[other.end :], strict=False
    ):
        grown = StatementRun(first.block, first.start, first.end + length + 1)
        if mine.shape != theirs.shape or _overlaps(grown, other):
            break
        length += 1
    while _numbered(StatementRun(first.block, first.start, first.end + length)) != _numbered(
        StatementRun(other.block, other.start, other.end + length)
    ):
        length -= 1
    return StatementRun(other.block, other.start, other.end + length)


def _overlaps(first: StatementRun, other: StatementRun) -> bool:
    return first.block.path == other.block.path and other.lines.start in first.lines


def _by_place(run: StatementRun) -> tuple[str, int]:
    return run.place
