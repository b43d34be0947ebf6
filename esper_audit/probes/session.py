"""Probing a project: its subjects files collected, their units run in the sandbox, a record for each."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec

from esper_audit.findings.errors import EsperAuditError, UsageError
from esper_audit.findings.finding import NotAnalysed
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.jobs import CollectedUnits, UnitDescription
from esper_audit.probes.sandbox.outcome import (
    Ending,
    Exited,
    ImportFailed,
    Job,
    JobOutcome,
    Killed,
    Limits,
    NotSerialisable,
    OutOfMemory,
    Raised,
    Returned,
    ServerDied,
    TimedOut,
)
from esper_audit.probes.sandbox.pool import START, TORCH_AND_COMPILER, Sandbox, Start
from esper_audit.project.config import Project
from esper_audit.rules.expected_failures import as_expected
from esper_audit.rules.probe_catalogue import probe_descriptions, probe_modules
from esper_audit.text.phrases import did_you_mean
from esper_audit.text.progress import Progress

MEBIBYTE = 1 << 20
MOST_WORKERS = 8
JOBS = "esper_audit.probes.jobs"
PROBING = "probing"  # what a subjects file that cannot be collected was not looked at by
CODES: dict[type[Ending], str] = {
    TimedOut: "timeout",
    Killed: "killed",
    Exited: "exited",
    OutOfMemory: "memory",
    ImportFailed: "import",
    ServerDied: "server",
    NotSerialisable: "protocol",
    Raised: "raised",
}


class TorchMissing(EsperAuditError):
    """Probes run modules, and there is no torch to run them with."""


class ProbeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to probe: subjects by pattern or by their file, probes by id; nothing named means all.

    `workers` 0 chooses; `start` tells how processes come about where the platform's own way will not do.
    """

    subjects: list[str] = []
    probes: list[str] = []
    workers: int = 0
    start: Start = START
    today: str


class ProbeResult(msgspec.Struct, frozen=True):
    """A record for each unit, in the order of declaration; what could not be probed; what makes no unit."""

    records: list[ProbeRecord]
    not_analysed: list[NotAnalysed]
    without_unit: list[str]


def require_torch() -> None:
    """Raise TorchMissing, with what to do, where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise TorchMissing(
            "probes run modules and need torch, which is not installed: "
            "pip install 'esper-audit[torch]'"
        )


def probe(project: Project, wanted: ProbeRequest, progress: Progress | None = None) -> ProbeResult:
    """Put every promise of the project's subjects to its probe, each subject in processes of its own."""
    require_torch()
    require_known(wanted.probes)
    with Session(project, wanted) as session:
        return session.run(progress)


def require_known(probes: Iterable[str]) -> None:
    """Raise UsageError for a probe that does not exist."""
    shelf = probe_descriptions()
    for name in probes:
        if name not in shelf:
            raise UsageError(f"unknown probe '{name}'{did_you_mean(name, shelf)}")


class _Part(msgspec.Struct, frozen=True):
    """The progress of one subjects file among all."""

    progress: Progress | None
    before: int
    total: int

    def __call__(self, done: int) -> None:
        if self.progress is not None:
            self.progress(self.before + done, self.total)


class Session:
    """A sandbox with a project's subjects in it."""

    def __init__(self, project: Project, wanted: ProbeRequest) -> None:
        self._project = project
        self._wanted = wanted
        limits = project.config.probing
        own = [subject for subject in wanted.subjects if ":" in subject]
        self._sources = own or project.config.subjects
        self._patterns = [subject for subject in wanted.subjects if subject not in own]
        self._sandbox = Sandbox(
            [*TORCH_AND_COMPILER, JOBS, *probe_modules()],
            packages=[importable(project, source) for source in self._sources],
            search_path=[project.root],
            limits=Limits(seconds=limits.seconds, memory_bytes=limits.memory * MEBIBYTE),
            workers=wanted.workers or limits.workers or _processors(),
            start=wanted.start,
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        self._sandbox.close()

    def run(self, progress: Progress | None = None) -> ProbeResult:
        """Collect, run everything wanted, and return it in the order of declaration."""
        collected, problems = self.collect()
        sheets = {source: self.chosen(found.units) for source, found in collected.items()}
        self._refuse_unmatched(collected)
        total = sum(map(len, sheets.values()))
        records: list[ProbeRecord] = []
        for source, units in sheets.items():
            done = len(records)
            records += self.measured(source, units, _Part(progress, done, total))
            problems += _no_verdicts(source, records[done:])
            records += [r for r in collected[source].not_applicable if not self._patterns]
        missing = [unit for found in collected.values() for unit in found.without_unit]
        return ProbeResult(records, problems, missing)

    def collect(self) -> tuple[dict[str, CollectedUnits], list[NotAnalysed]]:
        """Return what each subjects file declares, and why one could not be asked."""
        probes = self._wanted.probes or None
        arguments = {"root": self._project.root, "probes": probes}
        jobs = [Job(s, f"{JOBS}:collect", {"source": s, **arguments}) for s in self._sources]
        outcomes = {outcome.job: outcome for outcome in self._sandbox.run(jobs)}
        collected: dict[str, CollectedUnits] = {}
        problems: list[NotAnalysed] = []
        for source in self._sources:
            ending = outcomes[source].ending
            if isinstance(ending, Returned):
                collected[source] = msgspec.convert(ending.value, CollectedUnits, strict=False)
            else:
                said = f"its subjects are not known: collecting them {ending}"
                problems.append(NotAnalysed(_file(source), said, check=PROBING))
        return collected, problems

    def chosen(self, units: Sequence[UnitDescription]) -> list[UnitDescription]:
        """Return the units that the patterns name, or all, with their prerequisites."""
        if not self._patterns:
            return list(units)
        named = {unit.id for unit in units if any(_matches(unit, p) for p in self._patterns)}
        needed = {before for unit in units if unit.id in named for before in unit.prerequisites}
        return [unit for unit in units if unit.id in named | needed]

    def measured(
        self, source: str, units: Sequence[UnitDescription], progress: Callable[[int], None]
    ) -> list[ProbeRecord]:
        """Run units, those of a subject in a state together; where that ends badly, each alone."""
        records: dict[str, ProbeRecord] = {}
        groups: dict[str, list[UnitDescription]] = {}
        for unit in units:
            groups.setdefault(f"{unit.subject}@{unit.state}", []).append(unit)
        suspects: list[UnitDescription] = []
        for outcome in self._sandbox.run(self._together(source, groups)):
            group = groups[outcome.job]
            if isinstance(outcome.ending, Returned):
                records |= {r.unit: r for r in _records(outcome)}
            else:
                suspects += group
            progress(len(records))
        for unit in suspects:
            records[unit.id] = _blocked(unit, records) or self._alone(source, unit)
            progress(len(records))
        return [self._as_expected(records[unit.id]) for unit in units]

    def _together(self, source: str, groups: dict[str, list[UnitDescription]]) -> list[Job]:
        place = {"root": self._project.root, "source": source}
        return [
            Job(name, f"{JOBS}:probe_together", {**place, "chosen": [unit.id for unit in group]})
            for name, group in groups.items()
        ]

    def _alone(self, source: str, unit: UnitDescription) -> ProbeRecord:
        place: dict[str, object] = {
            "root": self._project.root,
            "source": source,
            "unit": unit.id,
        }
        (outcome,) = self._sandbox.run([Job(unit.id, f"{JOBS}:probe_alone", place)])
        if isinstance(outcome.ending, Returned):
            return _records(outcome)[0]
        return _without_numbers(
            unit, Verdict.NO_VERDICT, CODES[type(outcome.ending)], str(outcome.ending)
        )

    def _as_expected(self, record: ProbeRecord) -> ProbeRecord:
        return as_expected(record, self._project.config.expect, self._wanted.today)

    def _refuse_unmatched(self, collected: dict[str, CollectedUnits]) -> None:
        units = [unit for found in collected.values() for unit in found.units]
        for pattern in self._patterns:
            if not any(_matches(unit, pattern) for unit in units):
                hint = did_you_mean(pattern, {unit.subject for unit in units})
                raise UsageError(f"unknown subject '{pattern}'{hint}")


def importable(project: Project, source: str) -> str:
    """Return the module or file of a subjects source, for the sandbox to import ahead."""
    place = _file(source)
    return project.resolve(place) if place.endswith(".py") else place


def _processors() -> int:
    return min(os.cpu_count() or 1, MOST_WORKERS)


def _matches(unit: UnitDescription, pattern: str) -> bool:
    names = (unit.subject, f"{unit.subject}@{unit.state}")
    return pattern == unit.id or any(fnmatchcase(name, pattern) for name in names)


def _records(outcome: JobOutcome) -> list[ProbeRecord]:
    assert isinstance(outcome.ending, Returned)
    return msgspec.convert(outcome.ending.value, list[ProbeRecord], strict=False)


def _blocked(unit: UnitDescription, records: dict[str, ProbeRecord]) -> ProbeRecord | None:
    for before in unit.prerequisites:
        if before in records and records[before].verdict is not Verdict.PASS:
            said = f"{before}: {records[before].verdict}"
            return _without_numbers(unit, Verdict.BLOCKED_BY, before, said)
    return None


def _without_numbers(
    unit: UnitDescription, verdict: Verdict, code: str, message: str
) -> ProbeRecord:
    return ProbeRecord(
        unit=unit.id,
        probe=unit.probe,
        contract=unit.contract,
        subject=unit.subject,
        state=unit.state,
        severity=unit.severity,
        category=unit.category,
        verdict=verdict,
        code=code,
        message=message,
    )


def _file(source: str) -> str:
    return source.rpartition(":")[0]


def _no_verdicts(source: str, records: Sequence[ProbeRecord]) -> list[NotAnalysed]:
    """Return what ended without a verdict: not looked at, which is never clean."""
    return [
        NotAnalysed(
            _file(source), f"{record.subject}@{record.state}: {record.message}", record.probe
        )
        for record in records
        if record.verdict is Verdict.NO_VERDICT
    ]
