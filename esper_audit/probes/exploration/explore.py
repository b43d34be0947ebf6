"""Probing what no subject declares: find the module classes of a target, build and run them, check contracts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from esper_audit.findings.coverage import Coverage
from esper_audit.findings.finding import NotAnalysed
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.probes.answers.class_answers import ClassAnswers
from esper_audit.probes.answers.used_files import file_digest
from esper_audit.probes.discovery.targets import ModuleClass, Target
from esper_audit.probes.exploration.class_result import (
    DISCOVERY,
    ClassResult,
    class_count,
    note_of_interruption,
    result_of,
)
from esper_audit.probes.exploration.inner_parts import without_inner_failures
from esper_audit.probes.exploration.known_recipes import (
    JOBS,
    KnownRecipes,
    known_recipes,
    observed_recipes,
    recipe_sources,
)
from esper_audit.probes.exploration.reproduction import Reproduction, lost_failures
from esper_audit.probes.sandbox.cluster import open_runner
from esper_audit.probes.sandbox.job_runner import SandboxSetup
from esper_audit.probes.sandbox.outcome import Job, Limits, Returned
from esper_audit.probes.sandbox.pool import TORCH, TORCH_AND_COMPILER
from esper_audit.probes.session import MEBIBYTE, ProbeRequest, default_workers
from esper_audit.project.config import Project
from esper_audit.project.workers.interruption import BECAUSE, Interrupted, Interruption
from esper_audit.rules.probe_catalogue import universal_modules
from esper_audit.text.progress import Progress

KNOWN, OBSERVED = (
    "known",
    "observed",
)  # recipes that are known before, and from inside other modules
REPRODUCTION = (*TORCH, JOBS)
# A module on the meta device makes torch import its compiler, in each job anew unless it is there already.
MEASUREMENT = (*TORCH_AND_COMPILER, JOBS)


class ExplorationResult(msgspec.Struct, frozen=True):
    """The records of the contracts, the coverage, and what could not be looked at.

    An interrupted run has those of the classes that were looked at.
    """

    records: list[ProbeRecord]
    coverage: Coverage
    not_analysed: list[NotAnalysed]
    is_interrupted: bool = False


def explore(
    project: Project,
    targets: Sequence[Target],
    request: ProbeRequest,
    progress: Progress | None = None,
    interruption: Interruption | None = None,
) -> ExplorationResult:
    """Discover the classes of some targets, and check the universal contracts on each that runs.

    What is known of a class is in the cache as soon as its failures were repeated, also if this process is killed.
    """
    modules = {name: file for target in targets for name, file in target.modules.items()}
    folders = [folder for target in targets for folder in target.search_path]
    target = _Modules(modules, folders)
    with _Exploration(project, request, target, interruption or Interruption()) as exploration:
        return exploration.run(progress)


class _Modules(msgspec.Struct, frozen=True):
    """The files of modules by name, and the folders that they are imported from."""

    files: dict[str, str]
    folders: list[str]


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
        target: _Modules,
        interruption: Interruption,
    ) -> None:
        self._project, self._root = project, project.root
        self._request, self._modules = request, target.files
        self._answers = ClassAnswers(project, target.files, enabled=request.cache)
        limits = project.config.probing
        bounds = Limits(
            seconds=limits.seconds, memory_bytes=limits.memory * MEBIBYTE, is_guarded=True
        )
        workers = request.workers or limits.workers or default_workers()
        preload = project.config.preload
        packages = sorted({name.partition(".")[0] for name in target.files if "." in name})
        setup = SandboxSetup(
            preload=(*MEASUREMENT, *universal_modules()),
            packages=(*preload, *packages),
            prepared=(Job("tables", f"{JOBS}:prepare_classes", {}),),
            search_path=(*target.folders, project.root),
            limits=bounds,
            workers=workers,
            start=request.start,
        )
        self._sandbox = open_runner(setup, request.cluster, interruption)
        clean = msgspec.structs.replace(
            setup, preload=REPRODUCTION, packages=(*preload,), prepared=(), priority=1
        )
        self._clean_sandbox = open_runner(clean, request.cluster, interruption)
        self._reproduction = Reproduction(self._answers, self._clean_sandbox)

    def __enter__(self) -> _Exploration:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.save()
        self._sandbox.close()
        self._clean_sandbox.close()

    def run(self, progress: Progress | None) -> ExplorationResult:
        """Find the classes, check each, and repeat each failure by its reproducer."""
        try:
            found = self._find()
        except Interrupted:
            note = NotAnalysed(".", f"its classes were not found {BECAUSE}", check=DISCOVERY)
            return ExplorationResult([], Coverage([]), [note], is_interrupted=True)
        part = self._request.shard.of(found.classes)
        classes = self._answers.changed(part, self._request.since)
        checked: dict[str, ClassResult] = {}
        is_interrupted = False
        try:
            for target, one in self._looked_at(classes, progress):
                checked |= {target: one}
        except Interrupted:
            is_interrupted = True
        checked = without_inner_failures(checked)
        done = [one for one in classes if one.target in checked]
        left = [one for one in classes if one.target not in checked]
        coverage = Coverage(
            [checked[one.target].coverage for one in done if not one.is_function],
            found.not_importable,
            cached=class_count(one for one in done if checked[one.target].is_cached),
            unchanged=class_count(part) - class_count(classes),
            interrupted=class_count(left),
        )
        measured = (record for one in done for record in checked[one.target].records)
        records = [self._request.with_expectation(record, self._project) for record in measured]
        notes = [
            *found.problems,
            *([note_of_interruption(left, classes)] if is_interrupted else []),
        ]
        return ExplorationResult(records, coverage, notes, is_interrupted)

    def _looked_at(
        self, classes: Sequence[ModuleClass], progress: Progress | None
    ) -> Iterator[tuple[str, ClassResult]]:
        """Yield the result of each class, a second one if it runs as other modules use it.

        Raises Interrupted.
        """
        checked: dict[str, ClassResult] = {}
        for target, result in self._check(KNOWN, classes, self._known(classes), progress):
            checked[target] = result
            yield target, result
        running = [recipe for one in classes if (recipe := checked[one.target].recipe)]
        missing = [one for one in classes if not checked[one.target].has_run()]
        observed = self._observed(running, missing)
        seen = [one for one in missing if one.target in observed]
        for target, result in self._check(OBSERVED, seen, observed, None):
            if result.has_run():
                yield target, result

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
    ) -> Iterator[tuple[str, ClassResult]]:
        """Find a recipe for each class, the known ones first, check the contracts, and yield the result."""
        inputs = {one.target: [known.get(one.target, []), self._request.probes] for one in classes}
        answered: dict[str, ClassResult] = {}
        for one in classes:
            answer = self._answers.get(purpose, one, inputs[one.target], ClassResult)
            if answer is not None:
                answered[one.target] = msgspec.structs.replace(answer, is_cached=True)
        yield from self._repeated(answered)
        located = {one.target: one for one in classes if one.target not in answered}
        jobs = [
            Job(target, f"{JOBS}:check_class", self._arguments(one, known))
            for target, one in located.items()
        ]
        done = len(answered)
        for group in self._sandbox.run_in_groups(jobs) if jobs else ():
            results: dict[str, ClassResult] = {}
            for outcome in group:
                one = located[outcome.job]
                results[outcome.job] = result = result_of(outcome, one)
                if isinstance(outcome.ending, Returned) and result.is_lasting():
                    self._answers.put(purpose, one, inputs[one.target], result, result.recipe)
            self._answers.save_new()
            yield from self._repeated(results)
            self._answers.save_new()
            done += len(group)
            if progress is not None:
                progress(done, len(classes))

    def _repeated(self, results: dict[str, ClassResult]) -> Iterator[tuple[str, ClassResult]]:
        """Yield results with the failures that their programs repeat. Those of an interrupted run are left out."""
        interrupted = None
        try:
            self._reproduction.repeat([r for result in results.values() for r in result.records])
        except Interrupted as error:
            interrupted = error
        for target, result in results.items():
            if self._reproduction.is_complete(result.records):
                kept = [*map(self._reproduction.stable, result.records)]
                lost = lost_failures(result.records, kept)
                coverage = msgspec.structs.replace(result.coverage, unstable=lost)
                yield target, msgspec.structs.replace(result, coverage=coverage, records=kept)
        if interrupted is not None:
            raise interrupted

    def _arguments(self, one: ModuleClass, known: KnownRecipes) -> dict[str, object]:
        recipes = known.get(one.target, [])
        return {
            "one": one,
            "recipes": recipes,
            "root": self._root,
            "probes": self._request.probes,
            "possible": self._project.config.probing.possible,
        }

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
