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
from esper_audit.pytest_plugin.item import DESELECTED, AuditItem, ContractBroken
from esper_audit.rules.expected_failures import as_expected

if TYPE_CHECKING:
    from esper_audit.probes.jobs import UnitDescription
    from esper_audit.probes.probe import Unit
    from esper_audit.project.config import Project

COLLECTED = pytest.StashKey["Collected"]()
RECORDS = pytest.StashKey[dict[str, ProbeRecord]]()


@dataclass(frozen=True)
class Collected:
    """What the subjects files declare: units by their id, each with its source, and what is wrong."""

    session: Session
    units: dict[str, tuple[str, UnitDescription]]
    problems: tuple[str, ...]


class Promises(pytest.Collector):
    """What the subjects of a project promise."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item a unit, and the guard, where the configuration names subjects."""
        if not _project(self.config).config.subjects:
            return
        try:
            collected = _collected(self.config)
        except EsperAuditError as error:
            yield EveryPromise.from_parent(self, name="every-promise", problems=(str(error),))
            return
        for unit in collected.units:
            # As text, so that pytest takes the id apart as it will when it reads it in its cache.
            yield PromiseItem.from_parent(self, name=unit, nodeid=f"{self.nodeid}::{unit}")
        yield EveryPromise.from_parent(self, name="every-promise", problems=collected.problems)


class PromiseItem(AuditItem):
    """One promise of one subject in one state."""

    def runtest(self) -> None:
        """Raise, with witness and reproducer, unless the promise is kept."""
        complaint = complaint_of(_record(self), _project(self.config))
        if complaint:
            raise ContractBroken(complaint)


class EveryPromise(AuditItem):
    """The guard: a promise without an item would be broken unseen."""

    def __init__(self, *, problems: Sequence[str], **kept: object) -> None:
        super().__init__(**kept)  # type: ignore[arg-type]  # pytest's own arguments, passed on
        self.problems = problems

    def runtest(self) -> None:
        """Raise if subjects could not be collected, or a promise has no item and nobody deselected it."""
        there = {item.name for item in self.session.items}
        deselected: set[str] = self.config.stash.setdefault(DESELECTED, set())
        there |= deselected
        units = self.config.stash[COLLECTED].units if COLLECTED in self.config.stash else {}
        lost = [
            f"{unit}: promised, and its item was taken away" for unit in units if unit not in there
        ]
        if self.problems or lost:
            raise ContractBroken("\n".join([*self.problems, *lost]))


@dataclass(frozen=True)
class Promised:
    """A unit to be run here and now, in the process of the test."""

    unit: Unit
    project: Project
    known: dict[str, ProbeRecord]
    units: dict[str, Unit]

    def check(self) -> None:
        """Fail with witness and reproducer unless the promise is kept."""
        __tracebackhide__ = True
        complaint = complaint_of(self._record(self.unit), self.project)
        if complaint:
            pytest.fail(complaint, pytrace=False)

    def _record(self, unit: Unit) -> ProbeRecord:
        from esper_audit.probes.probe import blocked, measured

        if unit.id not in self.known:
            before = {name: self._record(self.units[name]).verdict for name in unit.prerequisites}
            self.known[unit.id] = blocked(unit, before) or measured(unit)
        return as_expected(self.known[unit.id], self.project.config.expect, _today())


def promised_by(source: str, probes: Sequence[str] | None) -> list[Promised]:
    """Return a `Promised` for every unit of a subjects file."""
    from esper_audit.probes.probe import units
    from esper_audit.probes.subject.loading import load_subjects

    found = {unit.id: unit for unit in units(load_subjects(source), probes)}
    project, known = find_project([]), dict[str, ProbeRecord]()
    return [Promised(unit, project, known, found) for unit in found.values()]


def complaint_of(record: ProbeRecord, project: Project) -> str:
    """Return what to say of a promise that is broken, nothing of one that is kept; xfail or skip others."""
    if record.verdict is Verdict.PASS:
        return ""
    if record.verdict is Verdict.EXPECTED_FAIL:
        pytest.xfail(record.message)
    if record.verdict in (Verdict.INCONCLUSIVE, Verdict.BLOCKED_BY):
        pytest.skip(f"{record.verdict}: {record.message}")
    return _told(record, project)


def _told(record: ProbeRecord, project: Project) -> str:
    own = project.config.contracts
    contract = load_contracts(project.resolve(own) if own else "")[record.contract]
    lines = [
        f"{record.unit}: {record.verdict} ({record.code})",
        record.message,
        f"contract {contract.id}: {contract.statement}",
        *(f"defined at {p.path}:{p.line} {p.symbol}" for p in record.places[:1]),
    ]
    if record.reproducer:
        lines += ["reproduce with:", textwrap.indent(record.reproducer.rstrip("\n"), "    ")]
    return "\n".join(lines)


def _record(item: PromiseItem) -> ProbeRecord:
    """Return an item's record; the first item of a subject in a state brings those of the others."""
    stash = item.config.stash
    known = stash.setdefault(RECORDS, {})
    if item.name not in known:
        collected = _collected(item.config)
        source, unit = collected.units[item.name]
        chosen = {other.name for other in item.session.items}
        together = _together(unit, [u for s, u in collected.units.values() if s == source], chosen)
        done = collected.session.measured(source, together, lambda _: None)
        known.update({record.unit: record for record in done})
    return known[item.name]


def _together(
    unit: UnitDescription, units: Sequence[UnitDescription], chosen: set[str]
) -> list[UnitDescription]:
    """Return the chosen units of the same subject in the same state, with what they need."""
    same = [u for u in units if (u.subject, u.state) == (unit.subject, unit.state)]
    wanted = {u.id for u in same if u.id in chosen}
    wanted |= {before for u in same if u.id in wanted for before in u.prerequisites}
    return [u for u in same if u.id in wanted]


def _collected(config: pytest.Config) -> Collected:
    """Collect once a session, in the sandbox: importing a subjects file must not end the tests."""
    if COLLECTED not in config.stash:
        require_torch()
        session = Session(_project(config), ProbeRequest(today=_today(), workers=1))
        config.add_cleanup(session.close)
        collected, not_analysed = session.collect()
        problems = [problem.sentence() for problem in not_analysed]
        for found in collected.values():
            problems += [
                f"{unit}: promised, and there is nothing to run" for unit in found.without_unit
            ]
        units = {u.id: (source, u) for source, found in collected.items() for u in found.units}
        config.stash[COLLECTED] = Collected(session, units, tuple(problems))
    return config.stash[COLLECTED]


def _project(config: pytest.Config) -> Project:
    return find_project([str(config.rootpath)])


def _today() -> str:
    return date.today().isoformat()  # noqa: DTZ011  # the day of whoever runs the tests
