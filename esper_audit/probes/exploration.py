"""Probing what no subject declares: find the module classes of a target, build and run them, check contracts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.findings.coverage import ClassCoverage, Coverage, Stage
from esper_audit.findings.finding import NotAnalysed
from esper_audit.findings.probe_record import DetectorFailure, ProbeRecord, Verdict, failing_by
from esper_audit.probes.discovery.targets import (
    ModuleClass,
    Target,
    target_of_package,
    target_of_path,
)
from esper_audit.probes.recipes.recipe_file import StoredRecipe, plain_recipes, read_recipes
from esper_audit.probes.sandbox.outcome import Job, JobOutcome, Limits, Returned
from esper_audit.probes.sandbox.pool import TORCH, Sandbox
from esper_audit.probes.session import MEBIBYTE, ProbeRequest, default_workers
from esper_audit.project.config import Project
from esper_audit.rules.probe_catalogue import universal_modules
from esper_audit.rules.suppression.expected_failures import apply_expectation
from esper_audit.text.phrases import quoted
from esper_audit.text.progress import Progress

JOBS = "esper_audit.probes.discovery.jobs"
DISCOVERY = "discovery"  # the check that is named where a target cannot be looked at
PRELOADED = (*TORCH, JOBS)


class ExplorationResult(msgspec.Struct, frozen=True):
    """The records of the contracts, the coverage, and what could not be looked at."""

    records: list[ProbeRecord]
    coverage: Coverage
    not_analysed: list[NotAnalysed]


def find_targets(names: Iterable[str], project: Project) -> dict[str, Target]:
    """Return the target of each name that is a path or an importable package."""
    found: dict[str, Target] = {}
    for name in names:
        if os.path.exists(name):
            found[name] = target_of_path(name)
        elif all(part.isidentifier() for part in name.split(".")):
            target = target_of_package(name, (project.root, os.getcwd()))
            if target is not None:
                found[name] = target
    return found


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
        search_path = [*folders, project.root]
        packages = sorted({name.partition(".")[0] for name in modules if "." in name})
        self._sandbox = Sandbox(
            [*PRELOADED, *universal_modules()],
            packages=[*preload, *packages],
            search_path=search_path,
            limits=bounds,
            workers=workers,
            start=request.start,
        )
        self._clean_sandbox = Sandbox(
            [*PRELOADED],
            packages=preload,
            search_path=search_path,
            limits=bounds,
            workers=workers,
            start=request.start,
        )

    def __enter__(self) -> _Exploration:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.close()
        self._clean_sandbox.close()

    def run(self, progress: Progress | None) -> ExplorationResult:
        """Find the classes, check each, and repeat each failure by its reproducer."""
        found, not_importable, problems = self._find()
        classes = self._request.shard.of(found)
        checked: dict[str, tuple[ClassCoverage, list[ProbeRecord]]] = {}
        arguments = {"root": self._root, "probes": self._request.probes}
        known = self._known_recipes()
        jobs = [
            Job(
                one.target,
                f"{JOBS}:check_class",
                {"one": one, "recipes": plain_recipes(known.get(one.target, ())), **arguments},
            )
            for one in classes
        ]
        for outcome in self._sandbox.run(jobs):
            one = next(one for one in classes if one.target == outcome.job)
            checked[one.target] = _result_of(outcome, one)
            if progress is not None:
                progress(len(checked), len(classes))
        reproduced = self._reproduced([r for _, records in checked.values() for r in records])
        coverage: list[ClassCoverage] = []
        records: list[ProbeRecord] = []
        for one in classes:
            reached, measured = checked[one.target]
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

    def _known_recipes(self) -> dict[str, list[StoredRecipe]]:
        """Return the recipes of the project's file by class, what was declared or edited first."""
        known: dict[str, list[StoredRecipe]] = {}
        path = self._project.resolve(self._project.config.recipes)
        for stored in sorted(read_recipes(path), key=lambda one: one.is_untouched):
            known.setdefault(stored.recipe.target, []).append(stored)
        return known

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


def _result_of(outcome: JobOutcome, one: ModuleClass) -> tuple[ClassCoverage, list[ProbeRecord]]:
    if isinstance(outcome.ending, Returned):
        value = msgspec.convert(outcome.ending.value, dict[str, object])
        coverage = msgspec.convert(value["coverage"], ClassCoverage, strict=False)
        return coverage, msgspec.convert(value["records"], list[ProbeRecord], strict=False)
    reason = f"ended by the sandbox: the job {quoted(str(outcome.ending))}"
    name = one.target.replace(":", ".")
    coverage = ClassCoverage(
        name=name, path=one.path, line=one.line, stage=Stage.FOUND, reason=reason
    )
    return coverage, []
