"""The coverage of discovery as text: classes found, built, run and checked, and why others were not."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.findings.coverage import ClassCoverage, Coverage, Stage
from esper_audit.text.markdown import count
from esper_audit.text.terminal import StyledText, show_control_characters, wrapped

COLUMNS = ("built", "run", "checked")
MOST_CLASSES = 40  # that did not run; all are in the JSON


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
    found = len(coverage.classes)
    yield StyledText(f"  {'all':<12}{found:>7}{built:>7}{ran:>7}{checked:>9}\n")
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
    for one in missed[:MOST_CLASSES]:
        yield StyledText(wrapped(f"{one.name}: {one.reason}", "  ", "    "), "dim")
    if len(missed) > MOST_CLASSES:
        rest = len(missed) - MOST_CLASSES
        yield StyledText(f"  and {count(rest, 'other')} more, in --format json\n", "dim")
    for name, reason in coverage.not_importable.items():
        yield StyledText(wrapped(f"{name} could not be imported: {reason}", "  ", "    "), "dim")
    for one in coverage.classes:
        yield from _properties(one)


def _properties(one: ClassCoverage) -> Iterator[StyledText]:
    if one.stale:
        yield StyledText(wrapped(f"stale recipe of {one.name}: {one.stale}", "  ", "    "), "dim")
    for text in one.properties:
        yield StyledText(wrapped(f"property of {one.name}: {text}", "  ", "    "), "dim")
    for text in one.unstable:
        yield StyledText(
            wrapped(f"not reported of {one.name}: {text} does not reproduce", "  ", "    "), "dim"
        )
