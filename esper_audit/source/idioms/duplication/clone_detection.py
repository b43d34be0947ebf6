"""Clones: runs of equal statements in two or more places of a tree."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from esper_audit.source.idioms.duplication.statement_fingerprints import (
    HashedStatement,
    StatementBlock,
)


class StatementRun(NamedTuple):
    """Consecutive statements of a block."""

    block: StatementBlock
    start: int
    end: int

    @property
    def statements(self) -> list[HashedStatement]:
        """The statements."""
        return self.block.statements[self.start : self.end]

    @property
    def structures(self) -> tuple[int, ...]:
        """The structural hashes of the statements."""
        return tuple(statement.structure for statement in self.statements)

    @property
    def place(self) -> tuple[str, int]:
        """The file, and the line on which the run begins."""
        return self.block.path, self.block.statements[self.start].lineno

    @property
    def lines(self) -> range:
        """The lines from the first statement to the last."""
        statements = self.statements
        return range(statements[0].lineno, statements[-1].end_lineno + 1)


class Clone(NamedTuple):
    """A run of statements, an earlier equal run, and the number of all equal runs."""

    first: StatementRun
    second: StatementRun
    copies: int

    @property
    def size(self) -> int:
        """The counted lines of the run."""
        return sum(statement.lines for statement in self.second.statements)


def clones(blocks: Sequence[StatementBlock], minimum: int) -> Iterator[Clone]:
    """Yield a clone for each group of equal runs of at least `minimum` lines, outer blocks first."""
    covered: dict[str, set[int]] = defaultdict(set)
    for first, *others in _equal_runs(blocks, minimum):
        second: StatementRun | None = None
        for other in others:
            if other.lines.start in covered[other.block.path] or _is_overlap(first, other):
                continue
            longer = _extend(first, other)
            covered[other.block.path].update(longer.lines)
            second = second or longer
        if second is not None:
            yield Clone(first, second, 1 + len(others))


def _equal_runs(blocks: Sequence[StatementBlock], minimum: int) -> list[list[StatementRun]]:
    """Return the groups of equal runs of minimal length, each group sorted by place."""
    repeated = _repeated_hashes(blocks, minimum)
    by_structure: dict[tuple[object, ...], list[StatementRun]] = defaultdict(list)
    for run in _minimal_runs(blocks, minimum):
        if hash(run.structures) in repeated:
            by_structure[run.structures].append(run)
    groups: dict[tuple[object, ...], list[StatementRun]] = defaultdict(list)
    for structures, runs in by_structure.items():
        for run in runs if len(runs) > 1 else ():
            groups[(*structures, _renaming_pattern(run))].append(run)
    sorted_groups = [sorted(runs, key=_place_of) for runs in groups.values() if len(runs) > 1]
    return sorted(sorted_groups, key=lambda runs: (runs[0].block.depth, runs[1].place))


def _repeated_hashes(blocks: Sequence[StatementBlock], minimum: int) -> set[int]:
    """Return the hashes of the structures of runs that may be equal to another: few, so few runs are kept."""
    hashes = sorted(array("q", (hash(run.structures) for run in _minimal_runs(blocks, minimum))))
    return {one for one, following in pairwise(hashes) if one == following}


def _minimal_runs(blocks: Sequence[StatementBlock], minimum: int) -> Iterator[StatementRun]:
    """Yield for each statement the shortest run from it on that has at least `minimum` counted lines."""
    return (run for block in blocks for run in _runs_of_block(block, minimum))


def _runs_of_block(block: StatementBlock, minimum: int) -> Iterator[StatementRun]:
    lines = [statement.lines for statement in block.statements]
    end, total = 0, 0
    for start in range(len(lines)):
        while total < minimum and end < len(lines):
            total += lines[end]
            end += 1
        if total < minimum:
            return
        yield StatementRun(block, start, end)
        total -= lines[start]


def _renaming_pattern(run: StatementRun) -> tuple[int, ...]:
    """Return the local names of a run as numbers, counted in the order of first appearance."""
    numbers: dict[str, int] = {}
    names = [name for statement in run.statements for name in statement.locals]
    return tuple(numbers.setdefault(name, len(numbers)) for name in names)


def _extend(first: StatementRun, other: StatementRun) -> StatementRun:
    """Return the second run, extended by the equal statements that follow both runs."""
    length = 0
    for here, there in zip(
        first.block.statements[first.end :], other.block.statements[other.end :], strict=False
    ):
        extended = StatementRun(first.block, first.start, first.end + length + 1)
        if here.structure != there.structure or _is_overlap(extended, other):
            break
        length += 1
    while _renaming_pattern(
        StatementRun(first.block, first.start, first.end + length)
    ) != _renaming_pattern(StatementRun(other.block, other.start, other.end + length)):
        length -= 1
    return StatementRun(other.block, other.start, other.end + length)


def _is_overlap(first: StatementRun, other: StatementRun) -> bool:
    return first.block.path == other.block.path and other.lines.start in first.lines


def _place_of(run: StatementRun) -> tuple[str, int]:
    return run.place
