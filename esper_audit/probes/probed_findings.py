"""What the records of probes prove about the findings of rules: confirmed or refuted at the same place."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.findings.finding import EvidenceLevel, Finding, Location, ProbeEvidence
from esper_audit.findings.probe_record import ProbeRecord, Verdict

CONFIRMING = frozenset({Verdict.FAIL})
REFUTING = frozenset({Verdict.PASS})


def with_evidence(finding: Finding, records: Iterable[ProbeRecord]) -> Finding:
    """Return a rule's finding with the verdicts of probes of its contract on the code around it."""
    about = [
        r for r in records if r.contract == finding.contract and _is_defined_at(r, finding.location)
    ]
    failed = [r for r in about if r.verdict in CONFIRMING]
    passed = [r for r in about if r.verdict in REFUTING]
    if failed:
        return _with_standing(finding, EvidenceLevel.CONFIRMED, failed)
    return _with_standing(finding, EvidenceLevel.REFUTED, passed) if passed else finding


def _with_standing(
    finding: Finding, standing: EvidenceLevel, records: Iterable[ProbeRecord]
) -> Finding:
    probed = tuple(map(evidence_of, records))
    return msgspec.structs.replace(finding, standing=standing, probed=probed)


def _is_defined_at(record: ProbeRecord, at: Location) -> bool:
    return any(p.path == at.path and p.line <= at.line <= p.end_line for p in record.places)


def evidence_of(record: ProbeRecord) -> ProbeEvidence:
    """Return what a finding shows of a record."""
    return ProbeEvidence(
        unit=record.unit,
        verdict=record.verdict,
        code=record.code,
        message=record.message,
        table=record.table,
        reproducer=record.reproducer,
    )
