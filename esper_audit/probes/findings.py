"""Findings from probe records, and audits that contain them.

A failure becomes a finding of its own, unless a rule reports the same contract at the same place: then
it becomes evidence of that finding.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.coverage import Coverage, Stage
from esper_audit.findings.errors import ConfigError, UsageError
from esper_audit.findings.finding import (
    Confidence,
    EvidenceLevel,
    Finding,
    Location,
    NotAnalysed,
)
from esper_audit.findings.probe_record import DefinitionPlace, ProbeRecord, Verdict
from esper_audit.findings.shard import Shard
from esper_audit.probes.discovery.targets import Target
from esper_audit.probes.exploration.explore import explore
from esper_audit.probes.measure.readings import without_reading
from esper_audit.probes.named_targets import find_targets, resolve_names
from esper_audit.probes.probed_findings import CONFIRMING, evidence_of, with_evidence
from esper_audit.probes.session import (
    PROBING,
    ProbeRequest,
    ProbeResult,
    TorchMissing,
    require_known_probes,
    require_torch,
    run_probes,
)
from esper_audit.probes.shared_causes import places_of_causes
from esper_audit.project.config import Project
from esper_audit.rules.finding_builder import ConfigFile
from esper_audit.rules.suppression.expected_failures import stale_expectations
from esper_audit.rules.suppression.suppressions import Suppressor
from esper_audit.text.markdown import count
from esper_audit.text.progress import Progress
from esper_audit.tracking.baseline import read_baseline
from esper_audit.tracking.fingerprint import assign_fingerprints

DECIDED = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.EXPECTED_FAIL, Verdict.UNEXPECTED_PASS})
EXCERPT_LINES = 5
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
        findings=sorted([*findings, *_findings_of(audit.root, failed)], key=lambda f: f.order),
        checks=sorted({*audit.checks, *ran}),
        checked=_checked_files(audit, records),
        records=[*records],
    )


def _findings_of(root: str, failed: Iterable[ProbeRecord]) -> list[Finding]:
    """Return a finding for each cause and place of failure, with every unit in which it occurred."""
    defects: dict[tuple[str, DefinitionPlace, str], list[ProbeRecord]] = {}
    causes = (one for record in failed for one in _by_detector(record))
    for place, one in places_of_causes(causes):
        defects.setdefault((one.probe, place, one.code), []).append(one)
    return assign_fingerprints(
        (_finding(root, place, records), f"{place.symbol} {code}")
        for (_, place, code), records in defects.items()
    )


def _by_detector(record: ProbeRecord) -> Iterator[ProbeRecord]:
    """Yield a record for each cause of failure, with the first detector that it made fail."""
    if not record.failures:
        yield record
    causes = {failure.cause: failure for failure in reversed(record.failures)}
    for failure in (one for one in record.failures if causes[one.cause] is one):
        yield msgspec.structs.replace(
            record,
            code=failure.code,
            message=failure.message,
            witness=failure.witness,
            reproducer=failure.reproducer,
        )


def _finding(root: str, place: DefinitionPlace, records: Sequence[ProbeRecord]) -> Finding:
    first = records[0]
    lines = _lines(os.path.join(root, place.path), place)
    end_column = len(lines[0]) + 1
    subjects = list(dict.fromkeys(record.subject for record in records))
    return Finding(
        location=Location(place.path, place.line, 1, place.line, end_column, place.symbol),
        check=first.probe,
        contract=first.contract,
        message=f"{', '.join(subjects)}: {without_reading(first.message)}",
        severity=first.severity,
        category=first.category,
        confidence=Confidence.HIGH,
        fingerprint="",
        excerpt="\n".join(lines),
        excerpt_line=place.line,
        standing=EvidenceLevel.MEASURED,
        probed=tuple(map(evidence_of, records)),
    )


def _lines(file: str, place: DefinitionPlace) -> list[str]:
    """Return the first lines of a definition."""
    with open(file, encoding="utf-8", errors="replace") as source:
        lines = source.read().splitlines()
    return lines[place.line - 1 : min(place.end_line, place.line - 1 + EXCERPT_LINES)]


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
    project: Project, request: ProbeRequest, progress: Progress | None = None
) -> Audit:
    """Return an audit by probes alone, in which findings with a ticket are set aside.

    Raises ConfigError if there are no subjects, TorchMissing without torch, and UsageError for an
    unknown probe or subject.
    """
    if request.subjects:
        targets, others = resolve_names(request.subjects, project, request)
    else:
        targets, others = _configured_targets(project), []
    if targets:
        return _explored(project, targets, others, request, progress)
    if not request.subjects and not project.config.subjects:
        raise ConfigError(
            f"{project.file or project.root}: there are no subjects to probe. Name the function that yields "
            'them: subjects = ["path/to/file.py:function"] in [tool.esper-audit], or on the command line.'
        )
    result = run_probes(project, request, progress)
    is_complete = request.shard.is_whole and not (
        request.subjects or request.probes or request.since
    )
    today = request.today if is_complete else ""
    audit = _merge_result(_empty_audit(project, request.shard), project, result, today)
    tickets = project.resolve(project.config.tickets)
    audit = _without_allowed(audit, project, request)
    return read_baseline(tickets, request.today).apply(audit, tickets, {})


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
    others: list[str],
    request: ProbeRequest,
    progress: Progress | None,
) -> Audit:
    """Return an audit of discovered classes, with the declared subjects that were named too."""
    require_torch()
    require_known_probes(request.probes)
    result = explore(project, list(targets.values()), request, progress)
    audit = merge_records(_empty_audit(project, request.shard), result.records)
    audit = msgspec.structs.replace(
        audit, coverage=result.coverage, not_analysed=result.not_analysed
    )
    if others or (not request.subjects and project.config.subjects):
        declared = msgspec.structs.replace(request, subjects=others)
        audit = _merge_result(audit, project, run_probes(project, declared, progress), "")
    looked_at = result.coverage.count(Stage.RUN) or result.coverage.unchanged or audit.records
    is_empty = not (looked_at or audit.not_analysed or audit.unchanged_units)
    if is_empty and request.shard.is_whole:
        why = _why_nothing_ran(result.coverage)
        empty = [NotAnalysed(name, why) for name in request.subjects or ["."]]
        audit = msgspec.structs.replace(audit, not_analysed=empty)
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
    )
