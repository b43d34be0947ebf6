"""Findings from failed records, and what records prove about findings of rules at the same place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from esper_audit.findings.finding import (
    Confidence,
    EvidenceLevel,
    Finding,
    Location,
    ProbeEvidence,
)
from esper_audit.findings.probe_record import DefinitionPlace, ProbeRecord, Verdict
from esper_audit.probes.measure.readings import without_reading
from esper_audit.probes.shared_causes import cause_line, places_of_causes
from esper_audit.tracking.fingerprint import assign_fingerprints

CONFIRMING = frozenset({Verdict.FAIL})
REFUTING = frozenset({Verdict.PASS})
EXCERPT_LINES = 5


def findings_of(root: str, failed: Iterable[ProbeRecord]) -> list[Finding]:
    """Return a finding for each cause and place of failure, with every unit in which it occurred.

    Detectors that fail at one line, as in double precision and in bfloat16, are one cause.
    """
    defects: dict[tuple[str, DefinitionPlace, str], list[ProbeRecord]] = {}
    codes: dict[tuple[str, DefinitionPlace, str], str] = {}
    causes = (one for record in failed for one in _by_detector(record))
    for place, one in places_of_causes(causes):
        line = cause_line(one)
        code = codes.setdefault((one.probe, place, line), one.code) if line else one.code
        defects.setdefault((one.probe, place, code), []).append(one)
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
