"""From probe records to findings: one a defect, and one with the rule's where a rule suspects the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.errors import ConfigError
from esper_audit.findings.finding import (
    Confidence,
    EvidenceLevel,
    Finding,
    Location,
    NotAnalysed,
    ProbeEvidence,
)
from esper_audit.findings.probe_record import DefinitionPlace, ProbeRecord, Verdict
from esper_audit.probes.session import ProbeRequest, ProbeResult, TorchMissing
from esper_audit.probes.session import probe as put_to_probes
from esper_audit.project.config import Project
from esper_audit.rules.expected_failures import idle_expectations
from esper_audit.rules.finding_builder import ConfigFile
from esper_audit.text.progress import Progress
from esper_audit.tracking.baseline import read_baseline
from esper_audit.tracking.fingerprint import assign_fingerprints

SAYS_SO = frozenset({Verdict.FAIL})
SAYS_NOT = frozenset({Verdict.PASS})
DECIDED = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.EXPECTED_FAIL, Verdict.UNEXPECTED_PASS})
EXCERPT_LINES = 5


def with_records(audit: Audit, records: Sequence[ProbeRecord]) -> Audit:
    """Return the audit with what the probes came to: findings of their own, and a say in the rules'."""
    findings = [_weighed(finding, records) for finding in audit.findings]
    told = {evidence.unit for finding in findings for evidence in finding.probed}
    failed = [r for r in records if r.verdict in SAYS_SO and r.unit not in told]
    ran = {record.probe for record in records if record.verdict is not Verdict.NOT_APPLICABLE}
    return msgspec.structs.replace(
        audit,
        findings=sorted([*findings, *_found(audit.root, failed)], key=lambda f: f.order),
        checks=sorted({*audit.checks, *ran}),
        checked=_checked(audit, records),
        records=[*records],
    )


def _weighed(finding: Finding, records: Iterable[ProbeRecord]) -> Finding:
    """Add to a rule's finding what probes of its contract say of what is defined around it."""
    about = [r for r in records if r.contract == finding.contract and _defines(r, finding.location)]
    against = [r for r in about if r.verdict in SAYS_SO]
    for_it = [r for r in about if r.verdict in SAYS_NOT]
    if against:
        return _standing(finding, EvidenceLevel.CONFIRMED, against)
    return _standing(finding, EvidenceLevel.REFUTED, for_it) if for_it else finding


def _standing(finding: Finding, standing: EvidenceLevel, records: Iterable[ProbeRecord]) -> Finding:
    probed = tuple(map(_evidence, records))
    return msgspec.structs.replace(finding, standing=standing, probed=probed)


def _defines(record: ProbeRecord, at: Location) -> bool:
    return any(p.path == at.path and p.line <= at.line <= p.end_line for p in record.places)


def _evidence(record: ProbeRecord) -> ProbeEvidence:
    return ProbeEvidence(
        unit=record.unit,
        verdict=record.verdict,
        code=record.code,
        message=record.message,
        table=record.table,
        reproducer=record.reproducer,
    )


def _found(root: str, failed: Iterable[ProbeRecord]) -> list[Finding]:
    """Return a finding for each detector that spoke at a place, with every unit in which it did."""
    defects: dict[tuple[str, DefinitionPlace, str], list[ProbeRecord]] = {}
    for record in failed:
        defects.setdefault((record.probe, record.places[0], record.code), []).append(record)
    return assign_fingerprints(
        (_finding(root, place, records), f"{place.symbol} {code}")
        for (_, place, code), records in defects.items()
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
        message=f"{', '.join(subjects)}: {_sentence(first)}",
        severity=first.severity,
        category=first.category,
        confidence=Confidence.HIGH,
        fingerprint="",
        excerpt="\n".join(lines),
        excerpt_line=place.line,
        standing=EvidenceLevel.MEASURED,
        probed=tuple(map(_evidence, records)),
    )


def _sentence(record: ProbeRecord) -> str:
    """Return what a broken limit means, without the reading: that is evidence, and may change."""
    return record.message.rpartition(": ")[0] or record.message


def _lines(file: str, place: DefinitionPlace) -> list[str]:
    """Return the first lines of a definition."""
    with open(file, encoding="utf-8", errors="replace") as source:
        lines = source.read().splitlines()
    return lines[place.line - 1 : min(place.end_line, place.line - 1 + EXCERPT_LINES)]


def _checked(audit: Audit, records: Sequence[ProbeRecord]) -> dict[str, frozenset[str]]:
    """Return which checks looked at which file; a probe did only if all its units there were decided."""
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


SUBJECTS = "subjects"


def probe(project: Project, wanted: ProbeRequest, progress: Progress | None = None) -> Audit:
    """Probe the subjects alone, and set aside what has a ticket."""
    if not wanted.subjects and not project.config.subjects:
        raise ConfigError(
            f"{project.file or project.root}: no subjects to probe; name the function that yields them: "
            'subjects = ["path/to/file.py:function"] in [tool.esper-audit], or on the command line'
        )
    audit = Audit(
        root=project.root,
        findings=[],
        suppressed=[],
        not_analysed=[],
        files=0,
        checks=[],
        off=[],
    )
    probed = put_to_probes(project, wanted, progress)
    everything = not (wanted.subjects or wanted.probes)
    audit = _with_probes(audit, project, probed, wanted.today if everything else "")
    tickets = project.resolve(project.config.tickets)
    return read_baseline(tickets).apply(audit, tickets, {})


def joined(
    audit: Audit, project: Project, wanted: ProbeRequest, progress: Progress | None = None
) -> Audit:
    """Return an audit of the source with what the project's probes say beside it.

    Without torch the subjects were not looked at, and the audit says so.
    """
    if not project.config.subjects:
        return audit
    try:
        probed = put_to_probes(project, wanted, progress)
    except TorchMissing as error:
        missed = [NotAnalysed(SUBJECTS, str(error), check="probing")]
        probed = ProbeResult([], missed, [])
    return _with_probes(audit, project, probed, wanted.today)


def _with_probes(audit: Audit, project: Project, probed: ProbeResult, today: str) -> Audit:
    """Add findings, what was not looked at and, where `today` is given, expectations that are idle."""
    lost = [
        NotAnalysed(SUBJECTS, f"{unit} is promised, and there is nothing to run", check="probing")
        for unit in probed.without_unit
    ]
    audit = with_records(audit, probed.records)
    config_file = ConfigFile(project.root, project.file)
    idle = (
        idle_expectations(config_file, project.config.expect, probed.records, today)
        if today
        else []
    )
    return msgspec.structs.replace(
        audit,
        findings=sorted([*audit.findings, *idle], key=lambda f: f.order),
        not_analysed=sorted({*audit.not_analysed, *probed.not_analysed, *lost}),
    )
