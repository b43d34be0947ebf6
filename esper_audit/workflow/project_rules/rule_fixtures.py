"""Fixture files of rules: Python files whose comments state where a finding is expected.

`# expect: CHECK[, CHECK]` at the end of a line expects a finding that starts there, `# todo: CHECK` one
that the rule does not report yet. `CHECK:5` also states the column, from 1.
"""

from __future__ import annotations

import io
import os
import re
import tokenize
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from esper_audit.engine.file_checker import check_source
from esper_audit.engine.triggers import TriggerTable
from esper_audit.findings.errors import UsageError
from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.discovery import Discovery
from esper_audit.rules.registry import RuleRegistry
from esper_audit.source.syntax.source import Source, parse
from esper_audit.text.markdown import count
from esper_audit.text.phrases import did_you_mean

CHECK = r"[\w-]+(?::\d+)?"
COMMENT = re.compile(rf"#\s*(?P<word>expect|todo):\s*(?P<checks>{CHECK}(?:\s*,\s*{CHECK})*)\s*")
ANY_COLUMN = 0


class StatedPlace(NamedTuple):
    """Where a finding of a check starts, `ANY_COLUMN` where a comment states none."""

    line: int
    check: str
    column: int = ANY_COLUMN

    def __str__(self) -> str:
        at = f", column {self.column}" if self.column else ""
        return f"line {self.line}{at}: {self.check}"


class FixtureResult(msgspec.Struct, frozen=True):
    """How a fixture differs from its comments.

    `missing` and `unexpected` are findings by line and check, `done` those that a `todo` waited for.
    """

    path: str
    expected: int
    missing: list[StatedPlace]
    unexpected: list[StatedPlace]
    done: list[StatedPlace]
    todo: int
    problem: str = ""

    @property
    def has_passed(self) -> bool:
        """Return whether the findings are those that the comments state."""
        return not (self.missing or self.unexpected or self.done or self.problem)


def check_fixtures(
    registry: RuleRegistry, paths: Sequence[str], checks: Collection[str]
) -> list[FixtureResult]:
    """Return the result of every Python file below some paths (absolute).

    Judged are `checks`, and those that a comment of the file names. Raises UsageError for a comment that
    names no rule for one file.
    """
    root = os.path.commonpath(paths)
    root = root if os.path.isdir(root) else os.path.dirname(root)
    found = Discovery(root).run(paths)
    results = [_result(registry, root, path, checks) for path in found.files]
    problems = [FixtureResult(one.path, 0, [], [], [], 0, one.reason) for one in found.problems]
    return [*results, *problems]


def _result(registry: RuleRegistry, root: str, path: str, checks: Collection[str]) -> FixtureResult:
    with open(os.path.join(root, path), "rb") as file:
        source = parse(path, file.read())
    if isinstance(source, NotAnalysed):
        return FixtureResult(path, 0, [], [], [], 0, source.reason)
    stated = _stated(source)
    judged = {*checks, *(place.check for places in stated.values() for place in places)}
    for check in judged:
        if check not in registry.summaries:
            hint = did_you_mean(check, registry.summaries)
            raise UsageError(f"{path}: a comment names no rule of one file (got '{check}'){hint}")
    triggers = {check: registry.rule(check).triggers for check in sorted(judged)}
    table = TriggerTable(triggers, lambda check: registry.rule(check)())
    done = check_source(source, table, prefilter=True)
    got = [StatedPlace(f.location.line, f.check, f.location.column) for f in done.findings]
    missing, others = _compared(stated["expect"], got)
    waiting, unexpected = _compared(stated["todo"], others)
    return FixtureResult(
        path,
        len(stated["expect"]),
        missing=missing,
        unexpected=unexpected,
        done=[place for place in stated["todo"] if place not in waiting],
        todo=len(stated["todo"]),
        problem="; ".join(one.sentence() for one in done.not_analysed),
    )


def _compared(
    stated: Sequence[StatedPlace], got: Sequence[StatedPlace]
) -> tuple[list[StatedPlace], list[StatedPlace]]:
    """Return the stated places without a finding, and the findings without a stated place.

    A comment without column takes what those with one leave.
    """
    missing, left = list[StatedPlace](), sorted(got)
    for place in sorted(stated, key=lambda place: not place.column):
        found = next((one for one in left if _is_at(one, place)), None)
        if found is None:
            missing.append(place)
        else:
            left.remove(found)
    return sorted(missing), left


def _is_at(finding: StatedPlace, stated: StatedPlace) -> bool:
    return finding[:2] == stated[:2] and stated.column in (ANY_COLUMN, finding.column)


def _stated(source: Source) -> Mapping[str, list[StatedPlace]]:
    """Return the findings that the comments of a file expect, and those that they wait for."""
    stated: dict[str, list[StatedPlace]] = {"expect": [], "todo": []}
    stream = io.StringIO("".join(source.lines))
    for token in tokenize.generate_tokens(stream.readline):
        match = COMMENT.fullmatch(token.string) if token.type == tokenize.COMMENT else None
        for named in match["checks"].split(",") if match else ():
            check, _, column = named.strip().partition(":")
            place = StatedPlace(token.start[0], check, int(column or ANY_COLUMN))
            stated[match["word"] if match else ""].append(place)
    return stated


def fixture_lines(results: Sequence[FixtureResult]) -> Iterator[str]:
    """Yield the report: a line for each file, what differs, and a summary."""
    for one in results:
        yield f"  {'passed' if one.has_passed else 'failed'}  {one.path}"
        if one.problem:
            yield f"          not looked at: {one.problem}"
        yield from (f"          {place} expected" for place in one.missing)
        yield from (f"          {place} not expected" for place in one.unexpected)
        yield from (
            f"          {place} is found now; write `expect` for `todo`" for place in one.done
        )
    failed = sum(not one.has_passed for one in results)
    expected, todo = sum(one.expected for one in results), sum(one.todo for one in results)
    yield ""
    files, findings = count(len(results), "file"), count(expected, "finding")
    yield f"{files}, {findings} expected, {todo} to do: {failed} failed"
