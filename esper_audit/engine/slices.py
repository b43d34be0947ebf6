"""Cut the slices of lines that LibCST has to parse for the rules that read its tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from esper_audit.engine.triggers import Candidate
from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import NotAnalysed
from esper_audit.rules.rule import CstRule, Reach, crash
from esper_audit.source.syntax.enclosing import Enclosing, first_line, last_line
from esper_audit.source.syntax.source import Source


class Slice(NamedTuple):
    """A range of whole lines, from 1 and with both ends, around a statement or of the whole file."""

    first: int
    last: int
    statement: ast.stmt | None

    @classmethod
    def whole(cls, source: Source) -> Slice:
        """Return the slice that is the whole file."""
        return cls(1, max(len(source.lines), 1), None)


def slices_of(
    source: Source, candidates: Mapping[CstRule, Sequence[Candidate]]
) -> tuple[list[Slice], list[NotAnalysed]]:
    """Return the slices that contain a candidate, none inside another, and the rules that failed."""
    slices: set[Slice] = set()
    problems: list[NotAnalysed] = []
    for rule, nodes in candidates.items():
        for node in nodes:
            piece = _slice_for(source, rule, node, Enclosing(source.tree, node))
            if isinstance(piece, Slice):
                slices.add(piece)
            elif piece is not None:
                problems.append(piece)
    return _outermost(slices), problems


def _slice_for(
    source: Source, rule: CstRule, node: Candidate, enclosing: Enclosing
) -> Slice | NotAnalysed | None:
    """Return the slice that a rule needs to check a candidate, None if `may_match` rejects it."""
    try:
        return _slice(source, enclosing, rule.reach) if rule.may_match(node, enclosing) else None
    # A rule that raises any exception is skipped on this file and reported.
    except FAILURES as error:
        return crash(source.path, rule, error)


def _slice(source: Source, enclosing: Sequence[ast.stmt], reach: Reach) -> Slice:
    """Return the smallest slice of whole lines that covers the reach of a rule."""
    for statement in _owners(enclosing, reach):
        first, last = first_line(statement), last_line(statement)
        if _owns_its_lines(source.lines, statement, first, last):
            return Slice(first, last, statement)
    return Slice.whole(source)


def _owners(enclosing: Sequence[ast.stmt], reach: Reach) -> Iterable[ast.stmt]:
    """Yield the statements that may serve as the slice, smallest first."""
    if reach is Reach.MODULE:
        return []
    kinds: dict[Reach, tuple[type[ast.stmt], ...]] = {
        Reach.FUNCTION: (ast.FunctionDef, ast.AsyncFunctionDef),
        Reach.CLASS: (ast.ClassDef,),
    }
    smallest = len(enclosing) - 1
    if reach is Reach.TOP_LEVEL:
        smallest = 0
    elif reach in kinds:
        fitting = [i for i, s in enumerate(enclosing) if isinstance(s, kinds[reach])]
        smallest = fitting[-1] if fitting else 0
    return reversed(list(enclosing)[: smallest + 1])


def _owns_its_lines(lines: list[str], statement: ast.stmt, first: int, last: int) -> bool:
    """Return whether a statement shares its lines with no other (as after `;`, or an `elif`)."""
    start, end = lines[first - 1], lines[last - 1]
    column = statement.col_offset
    before = (
        start.encode()[:column]
        if first == statement.lineno
        else start[: len(start) - len(start.lstrip())].encode()
    )
    after = end.encode()[statement.end_col_offset or 0 :].strip()
    is_elif = isinstance(statement, ast.If) and start.lstrip().startswith("elif")
    clean = not before.strip() and (not after or after.startswith(b"#"))
    return clean and not is_elif and "\f" not in start and not start.lstrip().startswith("\\")


def _outermost(slices: set[Slice]) -> list[Slice]:
    """Return the slices that lie inside no other."""
    kept: list[Slice] = []
    for candidate in sorted(slices, key=lambda s: (s.first, -s.last)):
        if not kept or candidate.last > kept[-1].last:
            kept.append(candidate)
    return kept
