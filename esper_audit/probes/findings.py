"""Findings from probe records, and audits that contain them.

A failure becomes a finding of its own, unless a rule reports the same contract at the same place: then
it becomes evidence of that finding.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.coverage import Coverage, Stage
from esper_audit.findings.errors import ConfigError, UsageError
from esper_audit.findings.finding import NotAnalysed
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.findings.shard import Shard
from esper_audit.probes.discovery.targets import Target
from esper_audit.probes.exploration.explore import explore
from esper_audit.probes.named_targets import find_targets, resolve_names
from esper_audit.probes.probed_findings import CONFIRMING, findings_of, with_evidence
from esper_audit.probes.session import (
    PROBING,
    ProbeRequest,
    ProbeResult,
    TorchMissing,
    require_known_probes,
    require_torch,
    run_probes,
)
from esper_audit.project.config import Project
from esper_audit.project.workers.interruption import BECAUSE, Interrupted, Interruption
from esper_audit.rules.finding_builder import ConfigFile
from esper_audit.rules.suppression.expected_failures import stale_expectations
from esper_audit.rules.suppression.suppressions import Suppressor
from esper_audit.text.markdown import count
from esper_audit.text.progress import Progress
from esper_audit.tracking.baseline import read_baseline

DECIDED = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.EXPECTED_FAIL, Verdict.UNEXPECTED_PASS})
NO_CLASSES = "holds no module class to probe"
SUBJECTS = "subjects"  # the path of a note that concerns no file


def merge_records(audit: Audit, records: Sequence[ProbeRecord]) -> Audit:
    """Return the audit with the records as findings, and as evidence of the findings of rules."""
    findings = [with_evidence(finding, records) for finding in audit.findings]
    reported = {evidence.unit for finding in findings for evidence in finding.probed}
    failed = [r for r in records if r.verdict in CONFIRMING and r.unit not in reported]
    ran = {record.probe for record in records if record.verdict is not Verdict.NOT_APPLICABLE}
    return msgspec.structs.replace(
        audit,
        findings=sorted([*findings, *findings_of(audit.root, failed)], key=lambda f: f.order),
        checks=sorted({*audit.checks, *ran}),
        checked=_checked_files(audit, records),
        records=[*records],
    )


def _checked_files(audit: Audit, records: Sequence[ProbeRecord]) -> dict[str, frozenset[str]]:
    """Return the checks of each file.

    A probe counts only if all its units there have a verdict.
    """
    decided: dict[tuple[str, str], bool] = {}
    for record in records:
        for place in record.places[:1]:
            key = (place.path, record.probe)
            decided[key] = decided.get(key, True) and record.verdict in DECIDED
    checked = {path: set(checks) for path, checks in audit.checked.items()}
    for (path, probe), all_decided in decided.items():
        if all_decided:
            checked.setdefault(path, set()).add(probe)
    return {path: frozenset(checks) for path, checks in checked.items()}


def audit_subjects(
    project: Project,
    request: ProbeRequest,
    progress: Progress | None = None,
    interruption: Interruption | None = None,
) -> Audit:
    """Return an audit by probes alone, in which findings with a ticket are set aside.

    An interrupted audit has what was found until then. Raises ConfigError if there are no subjects,
    TorchMissing without torch, and UsageError for an unknown probe or subject.
    """
    interruption = interruption or Interruption()
    if request.subjects:
        try:
            targets, others = resolve_names(request.subjects, project, request, interruption)
        except Interrupted:
            lost = [NotAnalysed(one, f"was not looked at {BECAUSE}") for one in request.subjects]
            empty = _empty_audit(project, request.shard)
            return msgspec.structs.replace(empty, not_analysed=sorted(lost), is_interrupted=True)
    else:
        targets, others = _configured_targets(project), []
    if targets:
        audit = _explored(project, targets, request, progress, interruption)
        if others or (not request.subjects and project.config.subjects):
            declared = msgspec.structs.replace(request, subjects=others)
            result = run_probes(project, declared, progress, interruption)
            audit = _merge_result(audit, project, result, "")
        audit = _with_reason_if_empty(audit, request)
        return _without_known(audit, project, request)
    if not request.subjects and not project.config.subjects:
        raise ConfigError(
            f"{project.file or project.root}: there are no subjects to probe. Name the function that yields "
            'them: subjects = ["path/to/file.py:function"] in [tool.esper-audit], or on the command line.'
        )
    result = run_probes(project, request, progress, interruption)
    is_complete = request.shard.is_whole and not (
        request.subjects or request.probes or request.since or result.is_interrupted
    )
    today = request.today if is_complete else ""
    audit = _merge_result(_empty_audit(project, request.shard), project, result, today)
    return _without_known(audit, project, request)


def _empty_audit(project: Project, shard: Shard) -> Audit:
    return Audit(
        root=project.root,
        findings=[],
        suppressed=[],
        not_analysed=[],
        files=0,
        checks=[],
        off=[],
        shard=shard,
    )


def _configured_targets(project: Project) -> dict[str, Target]:
    """Return what is discovered without an argument.

    Without any configuration that is the project itself. Raises ConfigError for a name that is nothing.
    """
    if project.config.subjects and not project.config.discover:
        return {}
    if not project.config.discover:
        return find_targets([project.root], project)
    named = [(name, project.resolve(name)) for name in project.config.discover]
    try:
        return find_targets([p if os.path.exists(p) else name for name, p in named], project)
    except UsageError as error:
        raise ConfigError(f"{project.file}: discover: {error}") from error


def _explored(
    project: Project,
    targets: dict[str, Target],
    request: ProbeRequest,
    progress: Progress | None,
    interruption: Interruption,
) -> Audit:
    """Return an audit of discovered classes."""
    require_torch()
    require_known_probes(request.probes)
    result = explore(project, list(targets.values()), request, progress, interruption)
    audit = merge_records(_empty_audit(project, request.shard), result.records)
    return msgspec.structs.replace(
        audit,
        coverage=result.coverage,
        not_analysed=result.not_analysed,
        is_interrupted=result.is_interrupted,
    )


def _with_reason_if_empty(audit: Audit, request: ProbeRequest) -> Audit:
    """Return an audit with the reason why nothing of its targets was looked at, if that is the case."""
    coverage = audit.coverage or Coverage([])
    looked_at = coverage.count(Stage.RUN) or coverage.unchanged or audit.records
    if looked_at or audit.not_analysed or audit.unchanged_units or not request.shard.is_whole:
        return audit
    why = _why_nothing_ran(coverage)
    empty = [NotAnalysed(name, why) for name in request.subjects or ["."]]
    return msgspec.structs.replace(audit, not_analysed=empty)


def _without_known(audit: Audit, project: Project, request: ProbeRequest) -> Audit:
    """Return an audit with the findings set aside that the configuration allows, or that have a ticket."""
    tickets = project.resolve(project.config.tickets)
    audit = _without_allowed(audit, project, request)
    return read_baseline(tickets, request.today).apply(audit, tickets, {})


def _why_nothing_ran(coverage: Coverage) -> str:
    """Return why no class of a target ran: none was found, or none of them could be run."""
    found, lost = len(coverage.concrete), len(coverage.not_importable)
    why = f"none of {count(found, 'module class')} could be run" if found else NO_CLASSES
    return why + (f" ({count(lost, 'module')} not importable)" if lost else "")


def add_probe_findings(
    audit: Audit, project: Project, request: ProbeRequest, progress: Progress | None = None
) -> Audit:
    """Return an audit of the source with the findings of the project's probes added.

    Probed are the declared subjects and what `discover` names. Without torch they are not analysed.
    """
    if not (project.config.subjects or project.config.discover):
        return audit
    result = ProbeResult([], [], [])
    try:
        require_torch()
        if project.config.subjects:
            result = run_probes(project, request, progress)
        if project.config.discover:
            targets = _configured_targets(project)
            explored = explore(project, [*targets.values()], request, progress)
            audit = msgspec.structs.replace(audit, coverage=explored.coverage)
            not_analysed = [*result.not_analysed, *explored.not_analysed]
            records = [*result.records, *explored.records]
            result = msgspec.structs.replace(result, records=records, not_analysed=not_analysed)
    except TorchMissing as error:
        result = ProbeResult([], [NotAnalysed(SUBJECTS, str(error), check=PROBING)], [])
    return _without_allowed(_merge_result(audit, project, result, request.today), project, request)


def _without_allowed(audit: Audit, project: Project, request: ProbeRequest) -> Audit:
    """Return the audit with the findings set aside that the configuration allows."""
    allow = project.config.allow
    suppressor = Suppressor(allow, today=request.today, known=(), authorised_words={})
    kept, allowed = suppressor.without_allowed(audit.findings)
    return msgspec.structs.replace(audit, findings=kept, suppressed=[*audit.suppressed, *allowed])


def _merge_result(audit: Audit, project: Project, result: ProbeResult, today: str) -> Audit:
    """Return the audit with findings and notes of the probes.

    `today` also reports stale expectations.
    """
    lost = [
        NotAnalysed(
            SUBJECTS,
            f"{unit} is promised but results in no unit. Declare a state for it",
            check=PROBING,
        )
        for unit in result.without_unit
    ]
    audit = merge_records(audit, result.records)
    config_file = ConfigFile(project.root, project.file)
    expected = project.config.expect
    stale = stale_expectations(config_file, expected, result.records, today) if today else []
    return msgspec.structs.replace(
        audit,
        findings=sorted([*audit.findings, *stale], key=lambda f: f.order),
        not_analysed=sorted({*audit.not_analysed, *result.not_analysed, *lost}),
        cached_units=result.cached,
        unchanged_units=result.unchanged,
        is_interrupted=audit.is_interrupted or result.is_interrupted,
    )
