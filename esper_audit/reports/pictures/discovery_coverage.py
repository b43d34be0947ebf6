"""How far discovery came with the classes of a package: found, built, run, checked."""

from __future__ import annotations

from esper_audit.findings.coverage import Coverage, Stage
from esper_audit.reports.pictures.svg import Bar, bars

TITLE = "Classes that discovery found, built, ran and checked"


def discovery_coverage(coverage: Coverage | None) -> str:
    """Return the picture, empty without discovery."""
    if coverage is None or not coverage.concrete:
        return ""
    found = len(coverage.concrete)
    reached = [(stage, coverage.count(stage)) for stage in (Stage.BUILT, Stage.RUN, Stage.CHECKED)]
    stages = [Bar("found", 1.0, f"{found:,}")]
    stages += [
        Bar(stage.value, number / found, f"{number:,} ({number / found:.0%})")
        for stage, number in reached
    ]
    return bars(TITLE, stages)
