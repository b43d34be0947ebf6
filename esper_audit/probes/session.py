"""Probing a project: collect its subjects files, measure their units in the sandbox, return the records."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec

from esper_audit.findings.errors import EsperAuditError, UsageError
from esper_audit.findings.finding import NotAnalysed
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.findings.shard import WHOLE, Shard
from esper_audit.probes.answers.subject_answers import SubjectAnswers
from esper_audit.probes.batches import JOBS, BatchMeasurement
from esper_audit.probes.jobs import CollectedUnits, UnitDescription
from esper_audit.probes.sandbox.cluster import open_runner
from esper_audit.probes.sandbox.job_runner import SandboxSetup
from esper_audit.probes.sandbox.outcome import Ending, Job, Limits, Raised, Returned
from esper_audit.probes.sandbox.pool import (
    START,
    TORCH_AND_COMPILER,
    TORCH_AND_OPTIMIZERS,
    Start,
)
from esper_audit.probes.subject.subject import SubjectError
from esper_audit.project.config import Project
from esper_audit.project.workers.interruption import BECAUSE, Interrupted, Interruption
from esper_audit.rules.probe_catalogue import probe_descriptions, probe_modules
from esper_audit.rules.suppression.expected_failures import apply_expectation
from esper_audit.text.markdown import count
from esper_audit.text.phrases import did_you_mean
from esper_audit.text.progress import Progress

MEBIBYTE = 1 << 20
MOST_WORKERS = 8
PROBING = "probing"  # the check that is named where a subjects file cannot be collected
SUBJECT_ERROR = f"{SubjectError.__module__}.{SubjectError.__qualname__}"


class TorchMissing(EsperAuditError):
    """Probes need torch, which is not installed."""


class ProbeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which subjects and probes to run.

    An empty list means all of them. `subjects` holds names, patterns (`cnn/*`, `slot@training`) or subjects
    files (`file.py:function`), `probes` holds ids. `workers` is the number of processes, with 0 for the
    configured one. `start` is the process start method. `cluster` is the address of a Dask scheduler whose
    workers run the units, empty for this machine. With `cache` what is unchanged is answered from an earlier
    run. With `since` only what changed since a revision is looked at. On `today`, an ISO date, expectations
    may have expired.
    """

    subjects: list[str] = []
    probes: list[str] = []
    workers: int = 0
    shard: Shard = WHOLE
    cache: bool = True
    since: str = ""
    start: Start = START
    cluster: str = ""
    today: str

    def with_expectation(self, record: ProbeRecord, project: Project) -> ProbeRecord:
        """Return a record as an expectation of the project makes it, which holds on the day of the request."""
        return apply_expectation(record, project.config.expect, self.today)


class ProbeResult(msgspec.Struct, frozen=True):
    """The records in the order of declaration, what could not be probed, and promises without a unit.

    `cached` is the number of records of an earlier run, `unchanged` of units that were not looked at because
    nothing that they use changed since a revision. An interrupted run has the records that were there.
    """

    records: list[ProbeRecord]
    not_analysed: list[NotAnalysed]
    without_unit: list[str]
    cached: int = 0
    unchanged: int = 0
    is_interrupted: bool = False


def require_torch() -> None:
    """Raise TorchMissing if torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise TorchMissing(
            "probes need torch, which is not installed. "
            "Install it with: pip install 'esper-audit[torch]'"
        )


def run_probes(
    project: Project,
    request: ProbeRequest,
    progress: Progress | None = None,
    interruption: Interruption | None = None,
) -> ProbeResult:
    """Run the requested probes on the project's subjects, each subject in processes of its own.

    Raises TorchMissing without torch, and UsageError for an unknown probe or subject.
    """
    require_torch()
    require_known_probes(request.probes)
    with Session(project, request, interruption) as session:
        return session.run(progress)


def require_known_probes(probes: Iterable[str]) -> None:
    """Raise UsageError for a probe that does not exist."""
    known = probe_descriptions()
    for name in probes:
        if name not in known:
            raise UsageError(f"unknown probe '{name}'{did_you_mean(name, known)}")


class _FileProgress(msgspec.Struct, frozen=True):
    """The progress in one subjects file, as a part of the progress in all of them."""

    progress: Progress | None
    before: int
    total: int

    def __call__(self, done: int) -> None:
        if self.progress is not None:
            self.progress(self.before + done, self.total)


class Session:
    """The subjects of a project, and a sandbox that measures their units."""

    def __init__(
        self, project: Project, request: ProbeRequest, interruption: Interruption | None = None
    ) -> None:
        self._project = project
        self._request = request
        limits = project.config.probing
        own = [subject for subject in request.subjects if ":" in subject]
        self._sources = own or project.config.subjects
        self._patterns = [subject for subject in request.subjects if subject not in own]
        self._answers = SubjectAnswers(project, enabled=request.cache)
        self._limits = Limits(seconds=limits.seconds, memory_bytes=limits.memory * MEBIBYTE)
        is_compiled = limits.slow or bool(request.probes)  # only slow probes compile
        torch = TORCH_AND_COMPILER if is_compiled else TORCH_AND_OPTIMIZERS
        setup = SandboxSetup(
            preload=(*torch, JOBS, *probe_modules()),
            packages=tuple(import_target(project, source) for source in self._sources),
            prepared=tuple(_preparing(project.root, source) for source in self._sources),
            search_path=(project.root,),
            limits=self._limits,
            workers=request.workers or limits.workers or default_workers(),
            start=request.start,
        )
        self._sandbox = open_runner(setup, request.cluster, interruption or Interruption())

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        self._answers.save()
        self._sandbox.close()

    def run(self, progress: Progress | None = None) -> ProbeResult:
        """Collect the subjects, measure the requested units, and return the result in declaration order."""
        try:
            collected, problems = self.collect()
        except Interrupted:
            problems = [_cut(one, "its subjects were not collected") for one in self._sources]
            return ProbeResult([], problems, [], is_interrupted=True)
        selected = {source: self.select(found.units) for source, found in collected.items()}
        self._check_patterns(collected)
        every = sum(map(len, selected.values()))
        selected = self._answers.changed(selected, self._request.since)
        total = sum(map(len, selected.values()))
        records: list[ProbeRecord] = []
        missing = 0
        for source, units in selected.items():
            measured = self.measure(source, units, _FileProgress(progress, len(records), total))
            records += measured
            problems += _without_verdict(source, measured)
            if left := len(units) - len(measured):
                missing += left
                what = f"{left:,} of {count(len(units), 'unit')} were not looked at"
                problems.append(_cut(source, what))
            if units or not self._request.since:
                records += [r for r in collected[source].not_applicable if not self._patterns]
        empty = [unit for found in collected.values() for unit in found.without_unit]
        used = self._answers.used
        return ProbeResult(records, problems, empty, used, every - total, missing > 0)

    def collect(self) -> tuple[dict[str, CollectedUnits], list[NotAnalysed]]:
        """Return the units of each subjects file, and the files not collected. Raises Interrupted."""
        probes = self._request.probes or None
        slow = self._project.config.probing.slow
        arguments = {"root": self._project.root, "probes": probes, "slow": slow}
        jobs = [Job(s, f"{JOBS}:collect_units", {"source": s, **arguments}) for s in self._sources]
        outcomes = {outcome.job: outcome for outcome in self._sandbox.run(jobs)}
        collected: dict[str, CollectedUnits] = {}
        problems: list[NotAnalysed] = []
        for source in self._sources:
            ending = outcomes[source].ending
            if isinstance(ending, Returned):
                found = msgspec.convert(ending.value, CollectedUnits, strict=False)
                collected[source] = found.part(self._request.shard)
            else:
                problems.append(
                    NotAnalysed(_source_path(source), _collection_problem(ending), check=PROBING)
                )
        return collected, problems

    def select(self, units: Sequence[UnitDescription]) -> list[UnitDescription]:
        """Return the units that match a pattern, with their prerequisites, or all units without a pattern."""
        if not self._patterns:
            return list(units)
        named = {unit.id for unit in units if any(_is_matched_by(unit, p) for p in self._patterns)}
        needed = {before for unit in units if unit.id in named for before in unit.prerequisites}
        return [unit for unit in units if unit.id in named | needed]

    def measure(
        self, source: str, units: Sequence[UnitDescription], progress: Callable[[int], None]
    ) -> list[ProbeRecord]:
        """Measure units in batches, and return their records in order, fewer of an interrupted run."""
        place: dict[str, object] = {"root": self._project.root, "source": source}
        records = self._answers.known(source, units)
        missing = [unit for unit in units if unit.id not in records]
        if missing:
            batches = BatchMeasurement(self._sandbox, place, self._limits)

            def keep(done: int) -> None:
                self._answers.keep(source, missing, batches.records)
                progress(done)

            with contextlib.suppress(Interrupted):
                batches.measure(missing, keep)
            records |= batches.records
        known = (records[unit.id] for unit in units if unit.id in records)
        return [self._request.with_expectation(record, self._project) for record in known]

    def _check_patterns(self, collected: dict[str, CollectedUnits]) -> None:
        units = [unit for found in collected.values() for unit in found.units]
        for pattern in self._patterns:
            if not any(_is_matched_by(unit, pattern) for unit in units):
                hint = did_you_mean(pattern, {unit.subject for unit in units})
                raise UsageError(f"unknown subject '{pattern}'{hint}")


def _collection_problem(ending: Ending) -> str:
    """Return the reason why a subjects file was not collected, without the type of our own error."""
    if isinstance(ending, Raised) and ending.type == SUBJECT_ERROR:
        return ending.message
    return f"its subjects could not be collected: the job {ending}"


def import_target(project: Project, source: str) -> str:
    """Return the module name or absolute path of a subjects source, for the sandbox to import."""
    place = _source_path(source)
    return project.resolve(place) if place.endswith(".py") else place


def _preparing(root: str, source: str) -> Job:
    return Job(source, f"{JOBS}:prepare_subjects", {"root": root, "source": source})


def default_workers() -> int:
    """Return the number of processes at a time where none is configured."""
    return min(os.cpu_count() or 1, MOST_WORKERS)


def _is_matched_by(unit: UnitDescription, pattern: str) -> bool:
    names = (unit.subject, f"{unit.subject}@{unit.state}")
    return pattern == unit.id or any(fnmatchcase(name, pattern) for name in names)


def _source_path(source: str) -> str:
    return source.rpartition(":")[0]


def _without_verdict(source: str, records: Sequence[ProbeRecord]) -> list[NotAnalysed]:
    """Return the units without a verdict: they were not analysed, which differs from clean."""
    return [
        NotAnalysed(
            _source_path(source), f"{record.subject}@{record.state}: {record.message}", record.probe
        )
        for record in records
        if record.verdict is Verdict.NO_VERDICT
    ]


def _cut(source: str, what: str) -> NotAnalysed:
    return NotAnalysed(_source_path(source), f"{what} {BECAUSE}", check=PROBING)
