"""The sandbox jobs of a probing session: collect the units of a subjects file, and measure some of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import msgspec

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import DefinitionPlace, ProbeRecord, Verdict
from esper_audit.findings.shard import Shard
from esper_audit.probes.probe import unit_id
from esper_audit.probes.sandbox.outcome import JOURNAL
from esper_audit.probes.sandbox.protocol import encode_message
from esper_audit.probes.subject.definition_site import definition_places
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.subject.subject import Subject, SubjectError
from esper_audit.probes.units import (
    Unit,
    blocked_record,
    measure_unit,
    not_applicable_records,
    units_of,
)


class UnitDescription(msgspec.Struct, frozen=True):
    """A unit for the caller, which imports neither torch nor the subject."""

    id: str
    probe: str
    contract: str
    severity: Severity
    category: Category
    subject: str
    state: str
    prerequisites: tuple[str, ...]

    def record(self, verdict: Verdict, code: str, message: str) -> ProbeRecord:
        """Return the record of this unit without measurements."""
        return ProbeRecord(
            unit=self.id,
            probe=self.probe,
            contract=self.contract,
            subject=self.subject,
            state=self.state,
            severity=self.severity,
            category=self.category,
            verdict=verdict,
            code=code,
            message=message,
        )


class CollectedUnits(msgspec.Struct, frozen=True):
    """The units of a subjects file, its promises without a unit, and a record for each absent promise."""

    units: list[UnitDescription]
    without_unit: list[str]
    not_applicable: list[ProbeRecord]

    def part(self, shard: Shard) -> CollectedUnits:
        """Return the units of the subjects in a shard: those of one subject depend on each other."""
        subjects = set(shard.of(list(dict.fromkeys(unit.subject for unit in self.units))))
        units = [unit for unit in self.units if unit.subject in subjects]
        return CollectedUnits(units, shard.of(self.without_unit), shard.of(self.not_applicable))


@cache
def declared_subjects(source: str) -> tuple[Subject, ...]:
    """Return the subjects of a file, loaded once in a process and in those that it forks."""
    return tuple(load_subjects(source))


def prepare_subjects(root: str, source: str) -> None:
    """Load a subjects file in the process that the jobs are forked from."""
    os.chdir(root)
    declared_subjects(source)


def collect_units(
    root: str, source: str, probes: list[str] | None = None, *, slow: bool = True
) -> CollectedUnits:
    """Load a subjects file, with a path relative to `root`, and return its units.

    Without `slow` a unit of a slow probe is left out, unless `probes` names its probe.
    """
    os.chdir(root)
    subjects = declared_subjects(source)
    found = units_of(subjects, probes)
    left_out = [unit for unit in found if unit.probe.is_slow and not (slow or probes)]
    return CollectedUnits(
        units=[_describe(unit) for unit in found if unit not in left_out],
        without_unit=promises_without_unit(subjects, {unit.id for unit in found}, probes),
        not_applicable=[
            *map(_left_out_record, left_out),
            *not_applicable_records(subjects, probes),
        ],
    )


def measure_batch(root: str, source: str, chosen: list[list[str]], seconds: float) -> None:
    """Measure groups of units, each of one subject in one state, prerequisites first.

    Each record is appended to the journal at once, so that it outlives a crash of this process. A unit that takes
    longer than `seconds` ends the process. So does a subject that left other settings of torch behind.
    """
    from esper_audit.probes.measure.execution.process_settings import process_settings
    from esper_audit.probes.subject.determinism import seed_streams

    wanted = [unit for group in chosen for unit in group]
    found = {unit.id: unit for unit in _declared_units(root, source, wanted)}
    seed_streams(0)  # the seed is one of the settings
    before = process_settings()
    places: dict[str, tuple[DefinitionPlace, ...]] = {}
    with open(os.path.join(os.environ["TMPDIR"], JOURNAL), "wb", buffering=0) as file:
        for group in chosen:
            subject = found[group[0]].subject
            if subject.name not in places:
                places[subject.name] = definition_places(subject, root)
            for record in _measure_group([found[name] for name in group], seconds):
                file.write(
                    encode_message(msgspec.structs.replace(record, places=places[subject.name]))
                )
            if process_settings() != before:
                return


def _measure_group(units: Sequence[Unit], seconds: float) -> Iterator[ProbeRecord]:
    verdicts: dict[str, Verdict] = {}
    for unit in units:
        with _time_limit(seconds):
            record = blocked_record(unit, verdicts) or measure_unit(unit)
        verdicts[unit.id] = record.verdict
        yield record


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """End this process by a signal if the block takes longer, where the system has timers."""
    if sys.platform == "win32":
        yield
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


def measure_one(root: str, source: str, unit: str) -> ProbeRecord:
    """Measure one unit, whether or not its prerequisites passed."""
    (found,) = _declared_units(root, source, [unit])
    places = definition_places(found.subject, root)
    return msgspec.structs.replace(measure_unit(found), places=places)


def promises_without_unit(
    subjects: Sequence[Subject], made: set[str], probes: Sequence[str] | None = None
) -> list[str]:
    """Return the promises that resulted in no unit: a breach of them would stay unnoticed."""
    lost: list[str] = []
    for subject in subjects:
        for promise in subject.promises:
            if probes is not None and promise.probe not in probes:
                continue
            states = promise.in_states or tuple(subject.states)
            expected = [unit_id(promise.probe, subject, state) for state in states]
            lost += [unit for unit in expected if unit not in made]
            if not expected:
                lost.append(unit_id(promise.probe, subject, ""))
    return lost


def _declared_units(root: str, source: str, chosen: list[str]) -> list[Unit]:
    os.chdir(root)
    names = {unit.partition("[")[2].rpartition("@")[0] for unit in chosen}
    subjects = [s for s in declared_subjects(source) if s.name in names]
    wanted = set(chosen)
    found = [unit for unit in units_of(subjects) if unit.id in wanted]
    if len(found) != len(chosen):
        missing = ", ".join(sorted(set(chosen) - {unit.id for unit in found}))
        raise SubjectError(f"{source}: {missing} disappeared since the units were collected")
    return found


def _left_out_record(unit: Unit) -> ProbeRecord:
    """Return the record of a unit whose probe is slow and was not requested."""
    probe = unit.probe.id
    message = f"{probe} is slow. Request it by --probe {probe}, or set probing.slow"
    return _describe(unit).record(Verdict.NOT_APPLICABLE, "slow", message)


def _describe(unit: Unit) -> UnitDescription:
    probe = unit.probe
    severity: Severity = probe.severity
    return UnitDescription(
        id=unit.id,
        probe=probe.id,
        contract=probe.contract,
        severity=severity,
        category=probe.category,
        subject=unit.subject.name,
        state=unit.state,
        prerequisites=unit.prerequisites,
    )
