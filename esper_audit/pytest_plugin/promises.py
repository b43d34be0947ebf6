"""Promises under pytest: an item for each contract, subject and state, and a guard that none is lost."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pytest

from esper_audit.findings.contract import load_contracts
from esper_audit.findings.errors import EsperAuditError
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.session import ProbeRequest, Session, require_torch
from esper_audit.project.config import find_project
from esper_audit.pytest_plugin.item import DESELECTED, AuditItem, ContractBroken, is_requested
from esper_audit.rules.suppression.expected_failures import apply_expectation

if TYPE_CHECKING:
    from esper_audit.probes.jobs import UnitDescription
    from esper_audit.probes.units import Unit
    from esper_audit.project.config import Project

COLLECTED = pytest.StashKey["CollectedPromises"]()
RECORDS = pytest.StashKey[dict[str, ProbeRecord]]()


@dataclass(frozen=True)
class CollectedPromises:
    """The units of all subjects files by id, each with its source, and the problems of collecting them."""

    session: Session
    units: dict[str, tuple[str, UnitDescription]]
    problems: tuple[str, ...]


def promise_items(parent: pytest.Collector) -> Iterator[pytest.Item]:
    """Yield an item for each unit, and the guard, if the configuration names subjects."""
    if not _project(parent.config).config.subjects:
        return
    try:
        collected = _collected(parent.config)
    except EsperAuditError as error:
        yield PromiseGuard.from_parent(parent, name="every-promise", problems=(str(error),))
        return
    for unit in collected.units:
        # `nodeid` is a text, so that pytest parses it as it does when it reads its cache.
        yield PromiseItem.from_parent(parent, name=unit, nodeid=f"{parent.nodeid}::{unit}")
    yield PromiseGuard.from_parent(parent, name="every-promise", problems=collected.problems)


class PromiseItem(AuditItem):
    """One promise of one subject in one state."""

    def runtest(self) -> None:
        """Raise, with reading and reproducer, unless the promise is kept."""
        failure = failure_text(_record(self), _project(self.config))
        if failure:
            raise ContractBroken(failure)


class PromiseGuard(AuditItem):
    """The guard that fails if a promise has no item, since its breach would go unnoticed."""

    def __init__(self, *, problems: Sequence[str], **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]  # the arguments of pytest's own constructor
        self.problems = problems

    def runtest(self) -> None:
        """Raise if subjects could not be collected, or an item is missing that was not deselected."""
        units = self.config.stash[COLLECTED].units if COLLECTED in self.config.stash else {}
        present = {item.name for item in self.session.items}
        deselected: set[str] = self.config.stash.setdefault(DESELECTED, set())
        present |= deselected
        if is_requested(self.config, self.nodeid.partition("::")[0]):
            present |= units.keys()
        lost = [
            f"{unit} is promised but its item was removed" for unit in units if unit not in present
        ]
        if self.problems or lost:
            raise ContractBroken("\n".join([*self.problems, *lost]))


@dataclass(frozen=True)
class PromisedUnit:
    """A unit that `check` measures in the process of the test."""

    unit: Unit
    project: Project
    known: dict[str, ProbeRecord]
    units: dict[str, Unit]

    def check(self) -> None:
        """Fail the test, with reading and reproducer, unless the promise is kept."""
        __tracebackhide__ = True
        failure = failure_text(self._record(self.unit), self.project)
        if failure:
            pytest.fail(failure, pytrace=False)

    def _record(self, unit: Unit) -> ProbeRecord:
        from esper_audit.probes.units import blocked_record, measure_unit

        if unit.id not in self.known:
            before = {name: self._record(self.units[name]).verdict for name in unit.prerequisites}
            self.known[unit.id] = blocked_record(unit, before) or measure_unit(unit)
        return apply_expectation(self.known[unit.id], self.project.config.expect, _today())


def promised_units(source: str, probes: Sequence[str] | None) -> list[PromisedUnit]:
    """Return the units of a subjects file, restricted to some probes if these are given."""
    from esper_audit.probes.subject.loading import load_subjects
    from esper_audit.probes.units import units_of

    found = {unit.id: unit for unit in units_of(load_subjects(source), probes)}
    project, known = find_project([]), dict[str, ProbeRecord]()
    return [PromisedUnit(unit, project, known, found) for unit in found.values()]


def failure_text(record: ProbeRecord, project: Project) -> str:
    """Return the failure message of a record, empty if it passed.

    An undecided record ends the test as xfail or skip.
    """
    if record.verdict is Verdict.PASS:
        return ""
    if record.verdict is Verdict.EXPECTED_FAIL:
        pytest.xfail(record.message)
    if record.verdict in (Verdict.INCONCLUSIVE, Verdict.BLOCKED_BY):
        pytest.skip(f"{record.verdict}: {record.message}")
    return _describe_failure(record, project)


def _describe_failure(record: ProbeRecord, project: Project) -> str:
    own = project.config.contracts
    contract = load_contracts(project.resolve(own) if own else "")[record.contract]
    lines = [
        f"{record.unit}: {record.verdict} ({record.code})",
        record.message,
        f"contract {contract.id}: {contract.statement}",
        *(f"defined at {p.path}:{p.line} {p.symbol}" for p in record.places[:1]),
    ]
    if record.reproducer:
        lines += ["Reproduce with:", textwrap.indent(record.reproducer.rstrip("\n"), "    ")]
    return "\n".join(lines)


def _record(item: PromiseItem) -> ProbeRecord:
    """Return the record of an item, measured together with the other items of its subject and state."""
    stash = item.config.stash
    known = stash.setdefault(RECORDS, {})
    if item.name not in known:
        collected = _collected(item.config)
        source, unit = collected.units[item.name]
        chosen = {other.name for other in item.session.items}
        together = _units_to_run(
            unit, [u for s, u in collected.units.values() if s == source], chosen
        )
        records = collected.session.measure(source, together, lambda _: None)
        known.update({record.unit: record for record in records})
    return known[item.name]


def _units_to_run(
    unit: UnitDescription, units: Sequence[UnitDescription], chosen: set[str]
) -> list[UnitDescription]:
    """Return the chosen units of the same subject and state, with their prerequisites."""
    same = [u for u in units if (u.subject, u.state) == (unit.subject, unit.state)]
    needed = {u.id for u in same if u.id in chosen}
    needed |= {before for u in same if u.id in needed for before in u.prerequisites}
    return [u for u in same if u.id in needed]


def _collected(config: pytest.Config) -> CollectedPromises:
    """Collect the units once for each session, in the sandbox, since an import may crash."""
    if COLLECTED not in config.stash:
        require_torch()
        session = Session(_project(config), ProbeRequest(today=_today(), workers=1))
        config.add_cleanup(session.close)
        collected, not_analysed = session.collect()
        problems = [problem.sentence() for problem in not_analysed]
        for found in collected.values():
            problems += [
                f"{unit} is promised but results in no unit. Declare a state for it"
                for unit in found.without_unit
            ]
        units = {u.id: (source, u) for source, found in collected.items() for u in found.units}
        config.stash[COLLECTED] = CollectedPromises(session, units, tuple(problems))
    return config.stash[COLLECTED]


def _project(config: pytest.Config) -> Project:
    return find_project([str(config.rootpath)])


def _today() -> str:
    return date.today().isoformat()  # noqa: DTZ011  # expiry is by the local date of the user
