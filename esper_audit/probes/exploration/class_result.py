"""What is known of a class after its job, and what an interrupted run says of those without a job."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from esper_audit.findings.coverage import NOT_CHECKED, ClassCoverage, Stage
from esper_audit.findings.finding import NotAnalysed
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.probes.discovery.targets import ModuleClass
from esper_audit.probes.sandbox.outcome import JobOutcome, Returned
from esper_audit.project.workers.interruption import BECAUSE
from esper_audit.text.markdown import count
from esper_audit.text.phrases import quoted

DISCOVERY = "discovery"  # the check that is named where a target cannot be looked at
OUT_OF_MEMORY = "memory"


class ClassResult(msgspec.Struct, frozen=True):
    """What the job of a class returned: its stage, its records, the recipe by which it runs, its parts' classes."""

    coverage: ClassCoverage
    records: list[ProbeRecord] = []
    recipe: dict[str, Any] = {}
    parts: list[str] = []
    is_cached: bool = False

    def is_lasting(self) -> bool:
        """Return whether a later run would return the same: no limit of time or memory cut it short."""
        is_cut = any(text.startswith(NOT_CHECKED) for text in self.coverage.properties)
        return not is_cut and all(record.code != OUT_OF_MEMORY for record in self.records)

    def has_run(self) -> bool:
        """Return whether the class runs."""
        return self.coverage.has_reached(Stage.RUN)


def result_of(outcome: JobOutcome, one: ModuleClass) -> ClassResult:
    """Return what the job of a class found, or that its process ended otherwise."""
    if isinstance(outcome.ending, Returned):
        return msgspec.convert(outcome.ending.value, ClassResult, strict=False)
    reason = f"its process {quoted(str(outcome.ending))}"
    name = one.target.replace(":", ".")
    coverage = ClassCoverage(
        name=name, path=one.path, line=one.line, stage=Stage.FOUND, reason=reason
    )
    return ClassResult(coverage)


def note_of_interruption(left: Sequence[ModuleClass], every: Sequence[ModuleClass]) -> NotAnalysed:
    """Return what an interrupted run says of the classes and functions that it did not look at."""
    kinds = (("class", False), ("function", True))
    numbers = [
        f"{number:,} of {count(sum(one.is_function is kind for one in every), noun)}"
        for noun, kind in kinds
        if (number := sum(one.is_function is kind for one in left))
    ]
    retried = "classes that did not run were not tried as other modules use them"
    reason = f"{' and '.join(numbers)} were not looked at" if numbers else retried
    return NotAnalysed(".", f"{reason} {BECAUSE}", check=DISCOVERY)


def class_count(found: Iterable[ModuleClass]) -> int:
    """Return the number of classes, without functions."""
    return sum(not one.is_function for one in found)
