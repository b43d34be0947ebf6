"""Probing what no subject declares: find the module classes of a target, build and run them, check contracts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from esper_audit.findings.coverage import NOT_CHECKED, ClassCoverage, Coverage, Stage
from esper_audit.findings.finding import NotAnalysed
from esper_audit.findings.probe_record import DetectorFailure, ProbeRecord, Verdict, failing_by
from esper_audit.probes.answers.class_answers import ClassAnswers
from esper_audit.probes.answers.used_files import file_digest
from esper_audit.probes.discovery.targets import ModuleClass, Target
from esper_audit.probes.exploration.known_recipes import (
    JOBS,
    KnownRecipes,
    known_recipes,
    observed_recipes,
    recipe_sources,
)
from esper_audit.probes.sandbox.cluster import open_runner
from esper_audit.probes.sandbox.job_runner import SandboxSetup
from esper_audit.probes.sandbox.outcome import Job, JobOutcome, Limits, Returned
from esper_audit.probes.sandbox.pool import TORCH, TORCH_AND_COMPILER
from esper_audit.probes.session import MEBIBYTE, ProbeRequest, default_workers
from esper_audit.project.config import Project
from esper_audit.rules.probe_catalogue import universal_modules
from esper_audit.text.phrases import quoted
from esper_audit.text.progress import Progress

DISCOVERY = "discovery"  # the check that is named where a target cannot be looked at
KNOWN, OBSERVED = (
    "known",
    "observed",
)  # recipes that are known before, and from inside other modules
OUT_OF_MEMORY = "memory"
REPRODUCTION = (*TORCH, JOBS)
# A module on the meta device makes torch import its compiler, in each job anew unless it is there already.
MEASUREMENT = (*TORCH_AND_COMPILER, JOBS)


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
    is_cached: bool = False

    def is_lasting(self) -> bool:
        """Return whether a later run would return the same: no limit of time or memory cut it short."""
        is_cut = any(text.startswith(NOT_CHECKED) for text in self.coverage.properties)
        return not is_cut and all(record.code != OUT_OF_MEMORY for record in self.records)

    def has_run(self) -> bool:
        """Return whether the class runs."""
        return self.coverage.has_reached(Stage.RUN)


class _Found(msgspec.Struct, frozen=True):
    """The classes of the modules, the modules that could not be imported, and why none could."""

    classes: list[ModuleClass]
    not_importable: dict[str, str]
    problems: list[NotAnalysed] = []

    def is_complete(self) -> bool:
        """Return whether the modules could be looked at."""
        return not self.problems


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
        self._answers = ClassAnswers(project, modules, enabled=request.cache)
        limits = project.config.probing
        bounds = Limits(
            seconds=limits.seconds, memory_bytes=limits.memory * MEBIBYTE, is_guarded=True
        )
        workers = request.workers or limits.workers or default_workers()
        preload = project.config.preload
        packages = sorted({name.partition(".")[0] for name in modules if "." in name})
        setup = SandboxSetup(
            preload=(*MEASUREMENT, *universal_modules()),
            packages=(*preload, *packages),
            prepared=(Job("tables", f"{JOBS}:prepare_classes", {}),),
            search_path=(*folders, project.root),
            limits=bounds,
            workers=workers,
            start=request.start,
        )
        self._sandbox = open_runner(setup, request.cluster)
        clean = msgspec.structs.replace(
            setup, preload=REPRODUCTION, packages=(*preload,), prepared=()
        )
        self._clean_sandbox = open_runner(clean, request.cluster)

    def __enter__(self) -> _Exploration:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.save()
        self._sandbox.close()
        self._clean_sandbox.close()

    def run(self, progress: Progress | None) -> ExplorationResult:
        """Find the classes, check each, and repeat each failure by its reproducer."""
        found = self._find()
        part = self._request.shard.of(found.classes)
        classes = self._answers.changed(part, self._request.since)
        checked = self._check(KNOWN, classes, self._known(classes), progress)
        cached = _class_count(one for one in classes if checked[one.target].is_cached)
        missing = [one for one in classes if not checked[one.target].has_run()]
        observed = self._observed([one.recipe for one in checked.values() if one.recipe], missing)
        seen = [one for one in missing if one.target in observed]
        again = self._check(OBSERVED, seen, observed, None)
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
            records += [self._request.with_expectation(r, self._project) for r in kept]
        unchanged = _class_count(part) - _class_count(classes)
        counted = Coverage(coverage, found.not_importable, cached, unchanged)
        return ExplorationResult(records, counted, found.problems)

    def _known(self, classes: Sequence[ModuleClass]) -> KnownRecipes:
        sources = recipe_sources(self._project, self._modules)
        inputs = [[one.target for one in classes], *map(file_digest, sources)]

        def compute() -> KnownRecipes:
            return known_recipes(self._project, self._sandbox, classes, self._modules)

        return self._answers.of_all(KNOWN, inputs, KnownRecipes, compute)

    def _observed(
        self, running: Sequence[dict[str, Any]], missing: Sequence[ModuleClass]
    ) -> KnownRecipes:
        def compute() -> KnownRecipes:
            return observed_recipes(self._sandbox, running, missing)

        return self._answers.of_all(OBSERVED, [running, missing], KnownRecipes, compute)

    def _check(
        self,
        purpose: str,
        classes: Sequence[ModuleClass],
        known: KnownRecipes,
        progress: Progress | None,
    ) -> dict[str, _Checked]:
        """Find a recipe for each class, the known ones first, and check the contracts."""
        inputs = {one.target: [known.get(one.target, []), self._request.probes] for one in classes}
        checked: dict[str, _Checked] = {}
        for one in classes:
            answer = self._answers.get(purpose, one, inputs[one.target], _Checked)
            if answer is not None:
                checked[one.target] = msgspec.structs.replace(answer, is_cached=True)
        located = {one.target: one for one in classes if one.target not in checked}
        jobs = [
            Job(target, f"{JOBS}:check_class", self._arguments(one, known))
            for target, one in located.items()
        ]
        for outcome in self._sandbox.run(jobs) if jobs else ():
            one = located[outcome.job]
            checked[outcome.job] = result = _result_of(outcome, one)
            if isinstance(outcome.ending, Returned) and result.is_lasting():
                self._answers.put(purpose, one, inputs[one.target], result, result.recipe)
            if progress is not None:
                progress(len(checked), len(classes))
        return checked

    def _arguments(self, one: ModuleClass, known: KnownRecipes) -> dict[str, object]:
        recipes = known.get(one.target, [])
        return {"one": one, "recipes": recipes, "root": self._root, "probes": self._request.probes}

    def _find(self) -> _Found:
        arguments: dict[str, object] = {"modules": [*self._modules], "root": self._root}

        def compute() -> _Found:
            job = Job(DISCOVERY, f"{JOBS}:find_classes", arguments)
            (outcome,) = self._sandbox.run([job])
            if isinstance(outcome.ending, Returned):
                return msgspec.convert(outcome.ending.value, _Found)
            reason = f"its modules could not be imported: the job {outcome.ending}"
            first = next(iter(self._modules.values()), self._root)
            path = os.path.relpath(first, self._root)
            return _Found([], {}, [NotAnalysed(path, reason, check=DISCOVERY)])

        return self._answers.of_all(DISCOVERY, self._root, _Found, compute, _Found.is_complete)

    def _reproduced(self, records: Sequence[ProbeRecord]) -> dict[str, ProbeRecord]:
        """Return the records with the failures whose reproducer ends with the expected error."""
        failures = {
            f"{record.unit} {failure.code}": (record.places[0].path, failure)
            for record in records
            for failure in record.failures
        }
        known = {
            name: self._answers.is_reproduced(path, failure.reproducer)
            for name, (path, failure) in failures.items()
        }
        jobs = [
            Job(
                name,
                f"{JOBS}:repeat_program",
                {"program": failures[name][1].reproducer, "folder": ""},
            )
            for name, is_stable in known.items()
            if is_stable is None
        ]
        for outcome in self._clean_sandbox.run(jobs) if jobs else ():
            path, failure = failures[outcome.job]
            known[outcome.job] = is_stable = _is_reproduced(outcome, failure)
            if isinstance(outcome.ending, Returned):
                self._answers.put_reproduced(path, failure.reproducer, is_reproduced=is_stable)
        stable = {name for name, is_stable in known.items() if is_stable}
        return {record.unit: _with_stable_failures(record, stable) for record in records}


def _class_count(found: Iterable[ModuleClass]) -> int:
    """Return the number of classes, without functions."""
    return sum(not one.is_function for one in found)


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
    reason = f"its process {quoted(str(outcome.ending))}"
    name = one.target.replace(":", ".")
    coverage = ClassCoverage(
        name=name, path=one.path, line=one.line, stage=Stage.FOUND, reason=reason
    )
    return _Checked(coverage)
