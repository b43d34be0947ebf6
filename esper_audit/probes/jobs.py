"""What the sandbox is asked to do: say which units a subjects file makes, and run those of one subject."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.probe import Unit, blocked, measured, not_applicable, unit_id, units
from esper_audit.probes.subject.definition_site import places_of
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.subject.subject import Subject, SubjectError


class UnitDescription(msgspec.Struct, frozen=True):
    """A unit as the caller knows it, who imports neither torch nor the subject."""

    id: str
    probe: str
    contract: str
    severity: Severity
    category: Category
    subject: str
    state: str
    prerequisites: tuple[str, ...]


class CollectedUnits(msgspec.Struct, frozen=True):
    """What a subjects file declares: its units, promises that make none, and what it does not promise."""

    units: list[UnitDescription]
    without_unit: list[str]
    not_applicable: list[ProbeRecord]


def collect(root: str, source: str, probes: list[str] | None = None) -> CollectedUnits:
    """Load a subjects file, named relative to `root`, and return what there is to find out."""
    os.chdir(root)
    subjects = load_subjects(source)
    found = units(subjects, probes)
    return CollectedUnits(
        units=[_sheet(unit) for unit in found],
        without_unit=without_unit(subjects, {unit.id for unit in found}, probes),
        not_applicable=list(not_applicable(subjects, probes)),
    )


def probe_together(root: str, source: str, chosen: list[str]) -> list[ProbeRecord]:
    """Run units of one subject in the order of their prerequisites, in this one process."""
    verdicts: dict[str, Verdict] = {}
    records: list[ProbeRecord] = []
    found = _found(root, source, chosen)
    for unit in found:
        record = blocked(unit, verdicts) or measured(unit)
        verdicts[unit.id] = record.verdict
        records.append(record)
    return _placed(records, found[0].subject, root)


def probe_alone(root: str, source: str, unit: str) -> list[ProbeRecord]:
    """Run one unit, whatever became of its prerequisites."""
    found = _found(root, source, [unit])[0]
    return _placed([measured(found)], found.subject, root)


def without_unit(
    subjects: Sequence[Subject], made: set[str], probes: Sequence[str] | None = None
) -> list[str]:
    """Return the promises that led to no unit: nobody would notice if they were broken."""
    lost: list[str] = []
    for subject in subjects:
        for promise in subject.promises:
            if probes is not None and promise.probe not in probes:
                continue
            states = promise.in_states or tuple(subject.states)
            wanted = [unit_id(promise.probe, subject, state) for state in states]
            lost += [unit for unit in wanted if unit not in made]
            if not wanted:
                lost.append(unit_id(promise.probe, subject, ""))
    return lost


def _found(root: str, source: str, chosen: list[str]) -> list[Unit]:
    os.chdir(root)
    subjects = [s for s in load_subjects(source) if any(f"[{s.name}@" in unit for unit in chosen)]
    found = [unit for unit in units(subjects) if unit.id in chosen]
    if len(found) != len(chosen):
        gone = sorted(set(chosen) - {unit.id for unit in found})
        raise SubjectError(f"{source}: declared {', '.join(gone)} a moment ago, and now does not")
    return found


def _placed(records: list[ProbeRecord], subject: Subject, root: str) -> list[ProbeRecord]:
    """Add to the records where their subject is defined."""
    places = places_of(subject, root)
    return [msgspec.structs.replace(record, places=places) for record in records]


def _sheet(unit: Unit) -> UnitDescription:
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
