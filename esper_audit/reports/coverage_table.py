"""The coverage of discovery as text: classes found, built, run and checked, and why others were not."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.findings.coverage import ClassCoverage, Coverage, Stage
from esper_audit.text.markdown import count, names_by_reason
from esper_audit.text.terminal import StyledText, show_control_characters, wrapped

MOST_LINES = 40  # on classes that did not run; all are in the JSON


def coverage_lines(coverage: Coverage | None) -> Iterator[StyledText]:
    """Yield the table of stages by origin, then each class that did not run with the reason."""
    if coverage is None:
        return
    yield StyledText("Classes\n", "bold")
    yield StyledText(f"  {'recipe':<12}{'found':>7}{'built':>7}{'run':>7}{'checked':>9}\n", "dim")
    stages = (Stage.BUILT, Stage.RUN, Stage.CHECKED)
    for origin in coverage.origins():
        built, ran, checked = (coverage.count(stage, origin) for stage in stages)
        yield StyledText(f"  {origin:<12}{'':>7}{built:>7}{ran:>7}{checked:>9}\n")
    built, ran, checked = (coverage.count(stage) for stage in stages)
    found = len(coverage.concrete)
    yield StyledText(f"  {'all':<12}{found:>7}{built:>7}{ran:>7}{checked:>9}\n")
    if bases := len(coverage.classes) - found:
        yield StyledText(f"  {count(bases, 'base class')} without a forward, not counted\n", "dim")
    if coverage.cached:
        yield StyledText(f"  {count(coverage.cached, 'class')} unchanged, from the cache\n", "dim")
    if coverage.unchanged:
        text = (
            f"  {count(coverage.unchanged, 'class')} unchanged since the revision, not looked at\n"
        )
        yield StyledText(text, "dim")
    yield from map(show_control_characters, _details(coverage))
    yield StyledText("\n")


def _details(coverage: Coverage) -> Iterator[StyledText]:
    missed = [one for one in coverage.classes if not one.has_reached(Stage.RUN)]
    lines = [
        f"{names}: {why}" for names, why in names_by_reason({m.name: m.reason for m in missed})
    ]
    for line in lines[:MOST_LINES]:
        yield _detail(line)
    if len(lines) > MOST_LINES:
        yield _detail(f"and {count(len(lines) - MOST_LINES, 'reason')} more, in --format json")
    for names, reason in names_by_reason(coverage.not_importable):
        yield _detail(f"{names} could not be imported: {reason}")
    for one in coverage.classes:
        yield from _properties(one)


def _detail(line: str) -> StyledText:
    return StyledText(wrapped(line, "  ", "    "), "dim")


def _properties(one: ClassCoverage) -> Iterator[StyledText]:
    if one.stale:
        yield _detail(f"stale recipe of {one.name}: {one.stale}")
    for text in one.properties:
        yield _detail(f"property of {one.name}: {text}")
    for text in one.unstable:
        yield _detail(f"not reported of {one.name}: {text} does not reproduce")
