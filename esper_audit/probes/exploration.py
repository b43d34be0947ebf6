"""Probing what no subject declares: find the module classes of a target, build and run them, check contracts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from esper_audit.findings.coverage import ClassCoverage, Coverage, Stage
from esper_audit.findings.finding import NotAnalysed
from esper_audit.findings.probe_record import DetectorFailure, ProbeRecord, Verdict, failing_by
from esper_audit.probes.discovery.targets import ModuleClass, Target
from esper_audit.probes.known_recipes import (
    JOBS,
    KnownRecipes,
    known_recipes,
    observed_recipes,
)
from esper_audit.probes.sandbox.cluster import open_runner
from esper_audit.probes.sandbox.job_runner import SandboxSetup
from esper_audit.probes.sandbox.outcome import Job, JobOutcome, Limits, Returned
from esper_audit.probes.sandbox.pool import TORCH
from esper_audit.probes.session import MEBIBYTE, ProbeRequest, default_workers
from esper_audit.project.config import Project
from esper_audit.rules.probe_catalogue import universal_modules
from esper_audit.rules.suppression.expected_failures import apply_expectation
from esper_audit.text.phrases import quoted
from esper_audit.text.progress import Progress

DISCOVERY = "discovery"  # the check that is named where a target cannot be looked at
PRELOADED = (*TORCH, JOBS)


class ExplorationResult(msgspec.Struct, frozen=True):
    """The records of the contracts, the coverage, and what could not be looked at."""

    records: list[ProbeRecord]
    coverage: Coverage
    not_analysed: list[NotAnalysed]


def explore(
    project: Project,
    targets: Sequence[Target],
    request: ProbeRequest,
    progress: Progress | None = None,
) -> ExplorationResult:
    """Discover the classes of some targets, and check the universal contracts on each that runs."""
    modules = {name: file for target in targets for name, file in target.modules.items()}
    folders = [folder for target in targets for folder in target.search_path]
    with _Exploration(project, request, modules, folders) as exploration:
        return exploration.run(progress)


class _Checked(msgspec.Struct, frozen=True):
    """What the job of a class returned: its stage, its records, and the recipe by which it runs."""

    coverage: ClassCoverage
    records: list[ProbeRecord] = []
    recipe: dict[str, Any] = {}

    def has_run(self) -> bool:
        """Return whether the class runs."""
        return self.coverage.has_reached(Stage.RUN)


class _Exploration:
    """A sandbox that has the target's packages imported, and one that has only torch imported."""

    def __init__(
        self,
        project: Project,
        request: ProbeRequest,
        modules: dict[str, str],
        folders: Sequence[str],
    ) -> None:
        self._project, self._root = project, project.root
        self._request, self._modules = request, modules
        limits = project.config.probing
        bounds = Limits(
            seconds=limits.seconds, memory_bytes=limits.memory * MEBIBYTE, is_guarded=True
        )
        workers = request.workers or limits.workers or default_workers()
        preload = project.config.preload
        packages = sorted({name.partition(".")[0] for name in modules if "." in name})
        setup = SandboxSetup(
            preload=(*PRELOADED, *universal_modules()),
            packages=(*preload, *packages),
            search_path=(*folders, project.root),
            limits=bounds,
            workers=workers,
            start=request.start,
        )
        self._sandbox = open_runner(setup, request.cluster)
        clean = msgspec.structs.replace(setup, preload=PRELOADED, packages=(*preload,))
        self._clean_sandbox = open_runner(clean, request.cluster)

    def __enter__(self) -> _Exploration:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.close()
        self._clean_sandbox.close()

    def run(self, progress: Progress | None) -> ExplorationResult:
        """Find the classes, check each, and repeat each failure by its reproducer."""
        found, not_importable, problems = self._find()
        classes = self._request.shard.of(found)
        known = known_recipes(self._project, self._sandbox, classes, self._modules)
        checked = self._check(classes, known, progress)
        missing = [one for one in classes if not checked[one.target].has_run()]
        running = [one.recipe for one in checked.values() if one.recipe]
        observed = observed_recipes(self._sandbox, running, missing)
        again = self._check([one for one in missing if one.target in observed], observed, None)
        checked |= {target: one for target, one in again.items() if one.has_run()}
        reproduced = self._reproduced([r for one in checked.values() for r in one.records])
        coverage: list[ClassCoverage] = []
        records: list[ProbeRecord] = []
        for one in classes:
            reached, measured = checked[one.target].coverage, checked[one.target].records
            kept = [reproduced[record.unit] for record in measured]
            lost = tuple(
                f"{before.probe}: {failure.code}"
                for before, after in zip(measured, kept, strict=True)
                for failure in before.failures
                if failure not in after.failures
            )
            if not one.is_function:
                coverage.append(msgspec.structs.replace(reached, unstable=lost))
            records += [self._with_expectation(record) for record in kept]
        return ExplorationResult(records, Coverage(coverage, not_importable), problems)

    def _with_expectation(self, record: ProbeRecord) -> ProbeRecord:
        return apply_expectation(record, self._project.config.expect, self._request.today)

    def _check(
        self, classes: Sequence[ModuleClass], known: KnownRecipes, progress: Progress | None
    ) -> dict[str, _Checked]:
        """Find a recipe for each class, the known ones first, and check the contracts."""
        fixed = {"root": self._root, "probes": self._request.probes}
        jobs = [
            Job(
                one.target,
                f"{JOBS}:check_class",
                {"one": one, "recipes": known.get(one.target, []), **fixed},
            )
            for one in classes
        ]
        located = {one.target: one for one in classes}
        checked: dict[str, _Checked] = {}
        for outcome in self._sandbox.run(jobs):
            checked[outcome.job] = _result_of(outcome, located[outcome.job])
            if progress is not None:
                progress(len(checked), len(classes))
        return checked

    def _find(self) -> tuple[list[ModuleClass], dict[str, str], list[NotAnalysed]]:
        job = Job(
            DISCOVERY, f"{JOBS}:find_classes", {"modules": [*self._modules], "root": self._root}
        )
        (outcome,) = self._sandbox.run([job])
        if isinstance(outcome.ending, Returned):
            value = msgspec.convert(outcome.ending.value, dict[str, object])
            classes = msgspec.convert(value["classes"], list[ModuleClass])
            return classes, msgspec.convert(value["not_importable"], dict[str, str]), []
        reason = f"its modules could not be imported: the job {outcome.ending}"
        first = next(iter(self._modules.values()), self._root)
        path = os.path.relpath(first, self._root)
        return [], {}, [NotAnalysed(path, reason, check=DISCOVERY)]

    def _reproduced(self, records: Sequence[ProbeRecord]) -> dict[str, ProbeRecord]:
        """Return the records with the failures whose reproducer ends with the expected error."""
        failures = {
            f"{record.unit} {failure.code}": failure
            for record in records
            for failure in record.failures
        }
        jobs = [
            Job(name, f"{JOBS}:repeat_program", {"program": failure.reproducer, "folder": ""})
            for name, failure in failures.items()
        ]
        stable = {
            outcome.job
            for outcome in self._clean_sandbox.run(jobs)
            if _is_reproduced(outcome, failures[outcome.job])
        }
        return {record.unit: _with_stable_failures(record, stable) for record in records}


def _is_reproduced(outcome: JobOutcome, failure: DetectorFailure) -> bool:
    """Return whether a program ended with the error that its failure expects."""
    ending = outcome.ending
    return isinstance(ending, Returned) and str(ending.value).startswith(failure.expects or "\0")


def _with_stable_failures(record: ProbeRecord, stable: set[str]) -> ProbeRecord:
    if not record.failures:
        return record
    kept = tuple(f for f in record.failures if f"{record.unit} {f.code}" in stable)
    if not kept:
        message = "the reproducer does not show it in a fresh process"
        return msgspec.structs.replace(
            record, verdict=Verdict.INCONCLUSIVE, code="unstable", message=message, failures=()
        )
    return failing_by(record, kept)


def _result_of(outcome: JobOutcome, one: ModuleClass) -> _Checked:
    if isinstance(outcome.ending, Returned):
        return msgspec.convert(outcome.ending.value, _Checked, strict=False)
    reason = f"ended by the sandbox: the job {quoted(str(outcome.ending))}"
    name = one.target.replace(":", ".")
    coverage = ClassCoverage(
        name=name, path=one.path, line=one.line, stage=Stage.FOUND, reason=reason
    )
    return _Checked(coverage)
