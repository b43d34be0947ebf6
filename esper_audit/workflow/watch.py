"""Watching a command, joined with what the rules suspect in the files that it ran."""

from __future__ import annotations

import os

import msgspec

from esper_audit.engine import pipeline
from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import EvidenceLevel, Finding, ProbeEvidence
from esper_audit.project.config import Project
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.finding_builder import ConfigFile
from esper_audit.rules.monitor_catalogue import monitor_descriptions
from esper_audit.tickets.store import TicketStore
from esper_audit.tracking.baseline import read_baseline
from esper_audit.watch.expected_failures import (
    function_of,
    set_expected_aside,
    stale_expected,
)
from esper_audit.watch.findings import audit_command
from esper_audit.watch.records import UserLine
from esper_audit.watch.session import WatchRequest, WatchResult
from esper_audit.workflow.sync import update_tickets


class WatchedAudit(msgspec.Struct, frozen=True):
    """The audit of a watched command, what the command did, and the ids of the tickets it opened."""

    audit: Audit
    result: WatchResult
    opened: list[str] = []


def watch(
    project: Project, request: WatchRequest, today: str, *, tickets: bool = False
) -> WatchedAudit:
    """Run a command with monitors, and confirm or refute what the rules suspect at the same places.

    Findings with a ticket are set aside. With `tickets`, new findings get one, and those set aside are
    renewed. Raises UsageError for a command that cannot be started.
    """
    audit, result = audit_command(project, request)
    audit = _joined(project, audit, result, today)
    folder = project.resolve(project.config.tickets)
    reported = read_baseline(folder, today).apply(audit, folder, {})
    opened = _update_tickets(project, audit, today) if tickets else []
    return WatchedAudit(reported, result, opened)


def _update_tickets(project: Project, audit: Audit, today: str) -> list[str]:
    """Open and renew the tickets of findings in files of the project, and return those opened.

    A run that does not come to a line shows nothing about it, so no ticket is closed.
    """
    inside = [f for f in audit.findings if os.path.isfile(project.resolve(f.location.path))]
    audit = msgspec.structs.replace(audit, findings=inside, checks=[], checked={})
    store = TicketStore(project.resolve(project.config.tickets))
    contracts = CheckCatalogue.of_project(project).contracts
    with store.exclusive():
        return update_tickets(store, audit, contracts, today).sync.opened


def _joined(project: Project, audit: Audit, result: WatchResult, today: str) -> Audit:
    """Return the audit with what rules suspect at the same places, and expected failures set aside."""
    suspected = _suspected(project, result, today)
    joined = [_with_evidence(finding, audit.findings, result) for finding in suspected]
    confirmed = {e.unit for f in joined for e in f.probed if f.standing is EvidenceLevel.CONFIRMED}
    own = [f for f in audit.findings if not any(e.unit in confirmed for e in f.probed)]
    kept = [f for f in joined if f.standing is EvidenceLevel.CONFIRMED]
    expected = project.config.expect
    findings, suppressed = set_expected_aside([*own, *kept], expected, today)
    file = ConfigFile(project.root, project.file)
    seen = [*findings, *(found.finding for found in suppressed)]
    stale = stale_expected(file, expected, seen, result.places, today)
    return msgspec.structs.replace(
        audit,
        findings=sorted([*findings, *stale], key=lambda finding: finding.order),
        suppressed=suppressed,
    )


def _suspected(project: Project, result: WatchResult, today: str) -> list[Finding]:
    """Return what the rules report under the contracts of monitors, in the files that were watched."""
    contracts = {found.contract for found in monitor_descriptions().values()}
    places = [place for found in result.places.values() for place in found]
    files = {os.path.join(project.root, place.path) for place in places if place.line}
    inside = sorted(f for f in files if f.startswith(project.root + os.sep) and os.path.isfile(f))
    if not inside:
        return []
    request = pipeline.CheckRequest(paths=inside, today=today, baseline=False)
    audit = pipeline.check(project, request)
    return [finding for finding in audit.findings if finding.contract in contracts]


def _with_evidence(finding: Finding, seen: list[Finding], result: WatchResult) -> Finding:
    """Return a rule's finding, confirmed by what was seen in its function, or refuted by looks there."""
    at = finding.location
    there = [f for f in seen if f.contract == finding.contract and _is_near(f, finding)]
    if there:
        evidence = tuple(e for found in there for e in found.probed)
        return msgspec.structs.replace(finding, standing=EvidenceLevel.CONFIRMED, probed=evidence)
    looked = [
        (monitor, place)
        for monitor, kind in monitor_descriptions().items()
        if kind.contract == finding.contract
        for place in result.places.get(monitor, ())
        if place.path == at.path and function_of(place) == at.symbol
    ]
    if not looked:
        return finding
    evidence = tuple(_silence(monitor, place) for monitor, place in looked[:1])
    return msgspec.structs.replace(finding, standing=EvidenceLevel.REFUTED, probed=evidence)


def _is_near(one: Finding, other: Finding) -> bool:
    return one.location.path == other.location.path and one.location.symbol == other.location.symbol


def _silence(monitor: str, place: UserLine) -> ProbeEvidence:
    return ProbeEvidence(
        unit=f"{monitor}@{place.path}:{place.line}",
        verdict="pass",
        code="looked",
        message="the monitor looked here and saw nothing",
    )
