"""Units of work: which ones a list of subjects results in, and how each is measured.

    for record in probe_subjects(load_subjects("tests/my_subjects.py:subjects")):
        print(record.unit, record.verdict, record.message)

A unit is one promise of one subject in one state. It depends on nothing but its prerequisites, so that
`probe_unit(source, unit)` returns the same record in any process.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import product
from typing import Any

import msgspec

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Severity
from esper_audit.findings.probe_record import DetectorFailure, ProbeRecord, Verdict, printable
from esper_audit.probes.measure.readings import BrokenLimit, Judgement, Reading, judge
from esper_audit.probes.probe import Probe, discover_probes, unit_id
from esper_audit.probes.sandbox.refused_allocation import is_about_memory, is_out_of_memory
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.subject.subject import (
    Promise,
    Subject,
    SubjectError,
    check_unique_names,
)
from esper_audit.text.phrases import quoted


@dataclass(frozen=True)
class Unit:
    """One promise of one subject in one state.

    `prerequisites` are the units that must pass before.
    """

    subject: Subject
    state: str
    probe: Probe[Any]
    prerequisites: tuple[str, ...]

    @property
    def id(self) -> str:
        """The stable id `probe[subject@state]`, by which `probe_unit` finds the unit again."""
        return unit_id(self.probe.id, self.subject, self.state)


def units_of(subjects: Sequence[Subject], probes: Sequence[str] | None = None) -> list[Unit]:
    """Return the units of some subjects, prerequisites first.

    `probes` restricts them to some probes.
    Raises SubjectError for a promise that no probe can check.
    """
    check_unique_names(subjects)
    selected = _selected_probes(probes)
    found: dict[str, Unit] = {}
    for subject in subjects:
        checked = [(promise, _probe_of(promise, subject)) for promise in subject.promises]
        _check_promised_once(subject)
        promised = [(promise, probe) for promise, probe in checked if probe.id in selected]
        for state, (promise, probe) in product(subject.states, promised):
            if state in (promise.in_states or subject.states):
                _add_unit(found, subject, state, probe)
    return list(found.values())


def probe_subjects(
    subjects: Sequence[Subject], probes: Sequence[str] | None = None
) -> Iterator[ProbeRecord]:
    """Yield a record for every unit, then one for every probe that a subject does not promise."""
    verdicts: dict[str, Verdict] = {}
    for unit in units_of(subjects, probes):
        record = blocked_record(unit, verdicts) or measure_unit(unit)
        verdicts[unit.id] = record.verdict
        yield record
    yield from not_applicable_records(subjects, probes)


def measure_unit(unit: Unit) -> ProbeRecord:
    """Run the probe of a unit in this process, whether or not its prerequisites passed."""
    from esper_audit.probes.subject.determinism import deterministic

    readings: list[Reading] = []
    raised, is_refused = "", False
    try:
        with deterministic():
            readings.extend(unit.probe.measure(unit.subject, unit.state))
    # A subject is foreign code and may raise anything: the error is the result.
    except FAILURES as error:
        raised = f"{type(error).__name__}: {quoted(str(error))}"
        is_refused = is_out_of_memory(error)
    judgement = judge(readings, unit.probe.allowed())
    if is_refused or any(is_about_memory(broken.message) for broken in judgement.broken):
        return _record(unit, _out_of_memory(raised or judgement.message), ())
    # A reading from before the error may explain it: an overwritten input makes a later backward raise.
    if raised and judgement.verdict is not Verdict.FAIL:
        return _record(unit, Judgement(Verdict.NO_VERDICT, "raised", raised, (), {}), ())
    return _record(unit, judgement, readings)


def _out_of_memory(error: str) -> Judgement:
    message = f"it ran out of memory (the limit is probing.memory): {error}"
    return Judgement(Verdict.NO_VERDICT, "memory", message, (), {})


def blocked_record(unit: Unit, verdicts: Mapping[str, Verdict]) -> ProbeRecord | None:
    """Return the record of a unit with a prerequisite that did not pass, None if all passed."""
    for prerequisite in unit.prerequisites:
        if verdicts[prerequisite] is not Verdict.PASS:
            message = blocked_message(prerequisite, verdicts[prerequisite])
            return _record(unit, Judgement(Verdict.BLOCKED_BY, prerequisite, message, (), {}), ())
    return None


def blocked_message(prerequisite: str, verdict: Verdict) -> str:
    """Return the message of a record that a prerequisite blocks."""
    return f"its prerequisite {prerequisite} did not pass (got {verdict})"


def probe_unit(source: str, unit: str) -> ProbeRecord:
    """Measure the unit with this id of a subjects file, `path/to/file.py:function`.

    Raises SubjectError if no promise in the file results in this unit.
    """
    subjects = [s for s in load_subjects(source) if f"[{s.name}@" in unit]
    for candidate in units_of(subjects):
        if candidate.id == unit:
            return measure_unit(candidate)
    raise SubjectError(f"{source}: no subject promises the unit {unit!r}")


def not_applicable_records(
    subjects: Sequence[Subject], probes: Sequence[str] | None = None
) -> Iterator[ProbeRecord]:
    """Yield a record for each probe that a subject does not promise, with the reason."""
    for subject in subjects:
        promised = {promise.probe for promise in subject.promises}
        for name, probe in _selected_probes(probes).items():
            if name not in promised and name not in _prerequisite_probes():
                message = _not_promised_message(probe, subject)
                judgement = Judgement(Verdict.NOT_APPLICABLE, "not-promised", message, (), {})
                yield _record(Unit(subject, "", probe(), ()), judgement, ())


def _not_promised_message(probe: type[Probe[Any]], subject: Subject) -> str:
    if isinstance(subject, probe.takes):
        return "the subject does not promise it"
    return f"requires a subject of kind {_kinds(probe)} (got {type(subject).__name__})"


def _selected_probes(probes: Sequence[str] | None) -> dict[str, type[Probe[Any]]]:
    known = discover_probes()
    if probes is None:
        return known
    unknown = sorted(set(probes) - set(known))
    if unknown:
        raise SubjectError(f"unknown probe {', '.join(unknown)} (probes: {', '.join(known)})")
    return {name: probe for name, probe in known.items() if name in probes}


def _kinds(probe: type[Probe[Any]]) -> str:
    kinds = probe.takes if isinstance(probe.takes, tuple) else (probe.takes,)
    return " or ".join(kind.__name__ for kind in kinds)


def _prerequisite_probes() -> set[str]:
    return {name for probe in discover_probes().values() for name in probe.requires}


def _check_promised_once(subject: Subject) -> None:
    """Raise SubjectError where two promises result in the same unit: one would overwrite the other."""
    promised: set[tuple[str, str]] = set()
    for promise in subject.promises:
        for state in promise.in_states or subject.states:
            if (promise.probe, state) in promised:
                raise SubjectError(
                    f"{_promise_text(promise, subject)} twice in state {state!r}. "
                    "Remove one of the promises, or declare another subject."
                )
            promised.add((promise.probe, state))


def _probe_of(promise: Promise, subject: Subject) -> Probe[Any]:
    """Return the probe of a promise, with its parameters.

    Raise SubjectError if they do not fit.
    """
    place = _promise_text(promise, subject)
    known = discover_probes()
    if promise.probe not in known:
        raise SubjectError(f"{place}, an unknown probe (probes: {', '.join(known)})")
    probe = known[promise.probe]
    if promise.version != probe.version:
        raise SubjectError(f"{place} in version {promise.version} (expected {probe.version})")
    if not isinstance(subject, probe.takes):
        kind = type(subject).__name__
        raise SubjectError(
            f"{place}, which does not take its kind (got {kind}, expected {_kinds(probe)})"
        )
    unknown = sorted(set(promise.in_states) - set(subject.states))
    if unknown:
        raise SubjectError(
            f"{place} in unknown states {unknown} (declared: {list(subject.states)})"
        )
    try:
        return probe(msgspec.convert(dict(promise.parameters), probe.Parameters))
    except msgspec.ValidationError as error:
        parameters = dict(promise.parameters)
        raise SubjectError(f"{place} with invalid parameters {parameters}: {error}") from error


def _promise_text(promise: Promise, subject: Subject) -> str:
    source = f"{subject.source}: " if subject.source else ""
    return f"{source}subject {subject.name!r} promises {promise.probe!r}"


def _add_unit(found: dict[str, Unit], subject: Subject, state: str, probe: Probe[Any]) -> None:
    """Add a unit after its prerequisites.

    A prerequisite that does not take the subject is replaced by its own prerequisites.
    """
    before: list[str] = []
    pending = list(probe.requires)
    while pending:
        required = discover_probes()[pending.pop(0)]
        if isinstance(subject, required.takes):
            prerequisite = unit_id(required.id, subject, state)
            if prerequisite not in found:
                _add_unit(found, subject, state, required())
            before.append(prerequisite)
        else:
            pending.extend(required.requires)
    unit = Unit(subject, state, probe, tuple(before))
    found[unit.id] = unit


def _record(unit: Unit, judgement: Judgement, readings: Sequence[Reading]) -> ProbeRecord:
    probe, columns = unit.probe, unit.probe.columns
    rows = [r.witness for r in readings if columns and set(columns) <= set(r.witness)]
    table = [tuple(printable(row)[column] for column in columns) for row in rows]
    broken = [(one, _design(unit, one)) for one in judgement.broken]
    failures = tuple(_failure(unit, one) for one, reason in broken if not reason)
    if broken and not failures:
        code, message = broken[0][0].detector, broken[0][1]
        judgement = Judgement(Verdict.NOT_APPLICABLE, code, message, judgement.numbers, {})
    reproducer = failures[0].reproducer if failures else ""
    if readings and not reproducer and judgement.verdict is not Verdict.NOT_APPLICABLE:
        reproducer = probe.reproducer(unit.subject, unit.state, judgement.witness)
    severity: Severity = probe.severity
    return ProbeRecord(
        unit=unit.id,
        probe=probe.id,
        contract=probe.contract,
        subject=unit.subject.name,
        state=unit.state,
        severity=severity,
        category=probe.category,
        verdict=judgement.verdict,
        code=failures[0].code if failures else judgement.code,
        message=failures[0].message if failures else judgement.message,
        numbers=judgement.numbers,
        witness=failures[0].witness if failures else judgement.witness,
        table=(columns, *table) if table else (),
        reproducer=reproducer,
        versions=_versions(),
        failures=failures,
    )


def _design(unit: Unit, broken: BrokenLimit) -> str:
    return unit.probe.by_design(unit.subject, broken.detector, broken.witness)


def _failure(unit: Unit, broken: BrokenLimit) -> DetectorFailure:
    program, error = unit.probe.reproduction(
        unit.subject, unit.state, broken.detector, broken.witness
    )
    return DetectorFailure(
        code=broken.detector,
        message=broken.message,
        witness=broken.witness,
        reproducer=program,
        expects=error,
        cause=broken.detector if unit.probe.has_separate_causes else "",
    )


@cache
def _versions() -> dict[str, str]:
    names = ("esper-audit", "torch")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
