"""What a probe is, and `run`: every promise of every subject put to its probe, one record each.

    for record in run(load_subjects("tests/my_subjects.py:subjects")):
        print(record.unit, record.verdict, record.message)

A unit is one promise of one subject in one state. Units depend on nothing but their prerequisites:
`probe_unit(source, unit)` does one alone, in any process, and says the same.
"""

from __future__ import annotations

import importlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import product
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Severity
from esper_audit.findings.probe_record import Plain, ProbeRecord, Verdict
from esper_audit.probes.measure.readings import Judgement, Limits, Reading, judge
from esper_audit.probes.subject.loading import load_subjects
from esper_audit.probes.subject.subject import Promise, Subject, SubjectError, names_of
from esper_audit.rules.probe_catalogue import probe_modules
from esper_audit.rules.rule import Check, Options
from esper_audit.text.phrases import quoted

Taken = TypeVar("Taken", bound=Subject)


class Probe(Generic[Taken], Check):
    """A check that runs a live subject. `measure` reads numbers, `limits` says what they may be.

    `takes` is the kind of subject it can run, `requires` the probes that must have passed before.
    Where `columns` are named, the witnesses that have them all make up the record's table.
    """

    version: ClassVar[int] = 1
    takes: ClassVar[type[Subject] | tuple[type[Subject], ...]] = Subject
    requires: ClassVar[tuple[str, ...]] = ("reproducible",)
    limits: ClassVar[Limits]
    columns: ClassVar[tuple[str, ...]] = ()
    Parameters: ClassVar[type[Options]] = Options

    def __init__(self, parameters: Options | None = None) -> None:
        self.parameters = self.Parameters() if parameters is None else parameters

    def measure(self, subject: Taken, state: str) -> Iterator[Reading]:
        """Yield what the detectors read on a subject in a state."""
        raise NotImplementedError

    def allowed(self) -> Limits:
        """Return the limits under this promise's parameters."""
        return self.limits

    def reproducer(self, subject: Taken, state: str, witness: Mapping[str, Plain]) -> str:
        """Return Python that shows again what the witness shows."""
        return (
            "from esper_audit.subject import probe_unit\n\n"
            f"record = probe_unit({subject.source!r}, {unit_id(self.id, subject, state)!r})\n"
            "print(record.verdict, record.code, record.message)\n"
        )


@dataclass(frozen=True)
class Unit:
    """One thing to find out, on its own; `prerequisites` are the units that must pass before."""

    subject: Subject
    state: str
    probe: Probe[Any]
    prerequisites: tuple[str, ...]

    @property
    def id(self) -> str:
        """`probe[subject@state]`: stable, and enough to find the unit again."""
        return unit_id(self.probe.id, self.subject, self.state)


def unit_id(probe: str, subject: Subject, state: str) -> str:
    """Return the name of a unit; without a state, that of a subject under a probe."""
    return f"{probe}[{subject.name}@{state}]" if state else f"{probe}[{subject.name}]"


@cache
def discover_probes() -> dict[str, type[Probe[Any]]]:
    """Return every probe by its id: each file in `probes/` holds one."""
    found: dict[str, type[Probe[Any]]] = {}
    for name in probe_modules():
        module = importlib.import_module(name)
        classes = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Probe)]
        found |= {probe.id: probe for probe in classes if probe.__module__ == name}
    return found


def units(subjects: Sequence[Subject], probes: Sequence[str] | None = None) -> list[Unit]:
    """Return what there is to find out, prerequisites first; `probes` narrows it down."""
    tuple(names_of(subjects))
    chosen = _chosen(probes)
    found: dict[str, Unit] = {}
    for subject in subjects:
        kept = [(promise, _probe_of(promise, subject)) for promise in subject.promises]
        _refuse_twice(subject)
        promised = [(promise, probe) for promise, probe in kept if probe.id in chosen]
        for state, (promise, probe) in product(subject.states, promised):
            if state in (promise.in_states or subject.states):
                _add(found, subject, state, probe)
    return list(found.values())


def run(subjects: Sequence[Subject], probes: Sequence[str] | None = None) -> Iterator[ProbeRecord]:
    """Yield a record for every unit, and for every subject that does not promise a probe at all."""
    verdicts: dict[str, Verdict] = {}
    for unit in units(subjects, probes):
        record = blocked(unit, verdicts) or measured(unit)
        verdicts[unit.id] = record.verdict
        yield record
    yield from not_applicable(subjects, probes)


def measured(unit: Unit) -> ProbeRecord:
    """Run a unit's probe here and now, whatever became of its prerequisites."""
    from esper_audit.probes.subject.determinism import steady

    readings: list[Reading] = []
    said = ""
    try:
        with steady():
            readings.extend(unit.probe.measure(unit.subject, unit.state))
    # What a subject may raise is not ours to enumerate; that it did is what there is to say.
    except FAILURES as error:
        said = f"{type(error).__name__}: {quoted(str(error))}"
    judgement = judge(readings, unit.probe.allowed())
    # What was read before it raised may be why: an overwritten input, and a backward that needs it.
    if said and judgement.verdict is not Verdict.FAIL:
        return _record(unit, Judgement(Verdict.NO_VERDICT, "raised", said, (), {}), ())
    return _record(unit, judgement, readings)


def blocked(unit: Unit, verdicts: Mapping[str, Verdict]) -> ProbeRecord | None:
    """Return the record of a unit of which a prerequisite did not pass, None if all did."""
    for prerequisite in unit.prerequisites:
        if verdicts[prerequisite] is not Verdict.PASS:
            said = f"{prerequisite}: {verdicts[prerequisite]}"
            return _record(unit, Judgement(Verdict.BLOCKED_BY, prerequisite, said, (), {}), ())
    return None


def probe_unit(source: str, unit: str) -> ProbeRecord:
    """Find a unit again from its file and its id, and run it; for use in another process."""
    subjects = [s for s in load_subjects(source) if f"[{s.name}@" in unit]
    for candidate in units(subjects):
        if candidate.id == unit:
            return measured(candidate)
    raise SubjectError(f"{source}: makes no promise that would be unit {unit!r}")


def not_applicable(
    subjects: Sequence[Subject], probes: Sequence[str] | None = None
) -> Iterator[ProbeRecord]:
    """Yield a record for each probe that a subject does not promise, with the reason."""
    for subject in subjects:
        promised = {promise.probe for promise in subject.promises}
        for name, probe in _chosen(probes).items():
            if name not in promised and name not in _prerequisites_of_all():
                kind = _kinds(probe)
                fits = isinstance(subject, probe.takes)
                said = "no such promise" if fits else f"takes {kind}, not {type(subject).__name__}"
                judgement = Judgement(Verdict.NOT_APPLICABLE, "not-promised", said, (), {})
                yield _record(Unit(subject, "", probe(), ()), judgement, ())


def _chosen(probes: Sequence[str] | None) -> dict[str, type[Probe[Any]]]:
    shelf = discover_probes()
    if probes is None:
        return shelf
    unknown = sorted(set(probes) - set(shelf))
    if unknown:
        raise SubjectError(f"no probe {', '.join(unknown)}; there are {', '.join(shelf)}")
    return {name: probe for name, probe in shelf.items() if name in probes}


def _kinds(probe: type[Probe[Any]]) -> str:
    kinds = probe.takes if isinstance(probe.takes, tuple) else (probe.takes,)
    return ", ".join(kind.__name__ for kind in kinds)


def _prerequisites_of_all() -> set[str]:
    return {name for probe in discover_probes().values() for name in probe.requires}


def _refuse_twice(subject: Subject) -> None:
    """Raise where two promises ask for one unit: only one of them would be kept."""
    asked: set[tuple[str, str]] = set()
    for promise in subject.promises:
        for state in promise.in_states or subject.states:
            if (promise.probe, state) in asked:
                raise SubjectError(
                    f"{subject.source or 'subject'} {subject.name!r} promises {promise.probe!r} twice "
                    f"in state {state!r}; say it once, or declare another subject"
                )
            asked.add((promise.probe, state))


def _probe_of(kept: Promise, subject: Subject) -> Probe[Any]:
    """Return the probe that a promise asks for, with its parameters, or say what does not fit."""
    where = f"{subject.source or 'subject'} {subject.name!r} promises {kept.probe!r}"
    shelf = discover_probes()
    if kept.probe not in shelf:
        raise SubjectError(f"{where}, which is no probe; there are {', '.join(shelf)}")
    probe = shelf[kept.probe]
    if kept.version != probe.version:
        raise SubjectError(f"{where} in version {kept.version}; the probe is in {probe.version}")
    if not isinstance(subject, probe.takes):
        kind = type(subject).__name__
        raise SubjectError(f"{where}, but is a {kind}; the probe takes: {_kinds(probe)}")
    unknown = sorted(set(kept.in_states) - set(subject.states))
    if unknown:
        raise SubjectError(f"{where} in states {unknown}; it declares {list(subject.states)}")
    try:
        return probe(msgspec.convert(dict(kept.parameters), probe.Parameters))
    except msgspec.ValidationError as error:
        raise SubjectError(f"{where} with parameters {dict(kept.parameters)}: {error}") from error


def _add(found: dict[str, Unit], subject: Subject, state: str, probe: Probe[Any]) -> None:
    """Put a unit behind its prerequisites; those that do not take the subject are passed over."""
    before: list[str] = []
    pending = list(probe.requires)
    while pending:
        required = discover_probes()[pending.pop(0)]
        if isinstance(subject, required.takes):
            prerequisite = unit_id(required.id, subject, state)
            if prerequisite not in found:
                _add(found, subject, state, required())
            before.append(prerequisite)
        else:
            pending.extend(required.requires)
    unit = Unit(subject, state, probe, tuple(before))
    found[unit.id] = unit


def _record(unit: Unit, judgement: Judgement, readings: Sequence[Reading]) -> ProbeRecord:
    probe, columns = unit.probe, unit.probe.columns
    rows = [r.witness for r in readings if columns and set(columns) <= set(r.witness)]
    table = [tuple(row[column] for column in columns) for row in rows]
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
        code=judgement.code,
        message=judgement.message,
        numbers=judgement.numbers,
        witness=judgement.witness,
        table=(columns, *table) if table else (),
        reproducer=reproducer if readings else "",
        versions=_versions(),
    )


@cache
def _versions() -> dict[str, str]:
    names = ("esper-audit", "torch")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
