"""Measuring units in batches: many subjects share a process, and what ends badly is measured again alone."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

import msgspec

from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.jobs import UnitDescription
from esper_audit.probes.sandbox.job_runner import JobRunner
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
from esper_audit.probes.sandbox.protocol import decode_messages
from esper_audit.probes.units import blocked_message

JOBS = "esper_audit.probes.jobs"
BATCHES_A_WORKER = 6  # few forks, and no worker that waits long for the last batch of another
HAS_TIMER = "setitimer" in vars(
    signal
)  # without it a unit that hangs costs the time of its whole batch
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
SOUND = frozenset({Verdict.PASS, Verdict.NOT_APPLICABLE})
Group = Sequence[UnitDescription]  # the units of one subject in one state, prerequisites first


class BatchMeasurement:
    """Measures units of one subjects file, whose root and name are `place`.

    The process of a batch writes each record to a journal as soon as it has it. A unit that exceeds its time
    gets that verdict at once. After another bad ending the unit that was running is measured again alone.
    So is each subject with a verdict that an earlier subject of its process may have caused. `records` are
    those by unit that will not change any more.
    """

    def __init__(self, sandbox: JobRunner, place: dict[str, object], limits: Limits) -> None:
        self._sandbox, self._place, self._limits = sandbox, place, limits
        self._batches = sandbox.workers * BATCHES_A_WORKER
        self.records: dict[str, ProbeRecord] = {}
        self._alone: list[UnitDescription] = []

    def measure(self, units: Sequence[UnitDescription], progress: Callable[[int], None]) -> None:
        """Find the record of each unit. Raises Interrupted where the run is to end early."""
        groups: dict[tuple[str, str], list[UnitDescription]] = {}
        for unit in units:
            groups.setdefault((unit.subject, unit.state), []).append(unit)
        batches = _batched([*groups.values()], self._batches)
        while batches:
            pending = {f"batch-{number}": batch for number, batch in enumerate(batches)}
            batches = []
            jobs = [self._job(name, batch) for name, batch in pending.items()]
            for outcome in self._sandbox.run(jobs):
                batches += self._take_records(pending[outcome.job], outcome)
                progress(len(self.records))
        for unit in self._alone:
            self.records[unit.id] = self._blocked_record(unit) or self._measure_alone(unit)
            progress(len(self.records))

    def _job(self, name: str, batch: Sequence[Group]) -> Job:
        chosen = [[unit.id for unit in group] for group in batch]
        seconds = self._limits.seconds
        every = {"chosen": chosen, "seconds": seconds}
        limits = msgspec.structs.replace(self._limits, seconds=seconds * sum(map(len, chosen)))
        return Job(name, f"{JOBS}:measure_batch", {**self._place, **every}, limits)

    def _take_records(self, batch: Sequence[Group], outcome: JobOutcome) -> list[list[Group]]:
        """Store the records of a batch, and return the batches that are still to be measured."""
        found = {r.unit: r for r in decode_messages(outcome.journal, ProbeRecord)}
        again: list[list[Group]] = []
        for number, group in enumerate(batch):
            records = [found[unit.id] for unit in group if unit.id in found]
            if len(records) < len(group):
                rest = [*batch[number:]]
                if not isinstance(outcome.ending, Returned):
                    self._take_interrupted(group, records, outcome.ending)
                    rest = rest[1:]
                return [*again, rest] if rest else again
            if number and not all(record.verdict in SOUND for record in records):
                again.append([group])
            else:
                self.records |= {record.unit: record for record in records}
        return again

    def _take_interrupted(
        self, group: Group, records: Sequence[ProbeRecord], ending: Ending
    ) -> None:
        """Store what is known of a group whose process ended, and note the units to measure alone."""
        sound = {record.unit: record for record in records if record.verdict in SOUND}
        running = group[len(records)]
        if isinstance(ending, TimedOut) or ending == Killed("SIGALRM"):
            ending = TimedOut(self._limits.seconds)
            sound[running.id] = _without_verdict(running, ending)
        self.records |= sound
        self._alone += [unit for unit in group if unit.id not in sound]

    def _measure_alone(self, unit: UnitDescription) -> ProbeRecord:
        job = Job(unit.id, f"{JOBS}:measure_one", {**self._place, "unit": unit.id})
        (outcome,) = self._sandbox.run([job])
        if isinstance(outcome.ending, Returned):
            return msgspec.convert(outcome.ending.value, ProbeRecord, strict=False)
        return _without_verdict(unit, outcome.ending)

    def _blocked_record(self, unit: UnitDescription) -> ProbeRecord | None:
        for before in unit.prerequisites:
            verdict = self.records[before].verdict if before in self.records else Verdict.PASS
            if verdict is not Verdict.PASS:
                return unit.record(Verdict.BLOCKED_BY, before, blocked_message(before, verdict))
        return None


def _without_verdict(unit: UnitDescription, ending: Ending) -> ProbeRecord:
    return unit.record(Verdict.NO_VERDICT, CODES[type(ending)], str(ending))


def _batched(groups: Sequence[Group], batches: int) -> list[list[Group]]:
    """Return the groups in at most this many batches of equal size, and one a batch without a timer."""
    size = max(1, -(-len(groups) // batches)) if HAS_TIMER else 1
    return [list(groups[start : start + size]) for start in range(0, len(groups), size)]
