"""Findings by cause: those of one check, which one repair or one habit takes away."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.findings.finding import EvidenceLevel, Finding, Occurrence, Severity
from esper_audit.rules.catalogue import CheckCatalogue

# The evidence and the occurrences that make a finding more urgent, the most urgent first.
EVIDENCE_RANK = tuple(EvidenceLevel(level) for level in ("confirmed", "measured", "suspected"))
MEANING_OF_OCCURRENCE = {
    Occurrence.MANIFEST: "production code reaches it today",
    Occurrence.POSSIBLE: "code that the audit cannot follow, or code outside this tree, may reach it",
    Occurrence.LATENT: "no call meets it today; the severity is one step lower for it",
    Occurrence.TEST_ONLY: "only tests reach it; the severity is one step lower for it",
    Occurrence.UNREFERENCED: "nothing in this tree uses it",
}
MEANING_OF_EVIDENCE = {
    EvidenceLevel.SUSPECTED: "a rule read it in the source, and no probe ran there",
    EvidenceLevel.CONFIRMED: "a rule read it in the source, and a probe of the same contract failed there",
    EvidenceLevel.REFUTED: "a rule read it in the source, and a probe of the same contract passed there",
    EvidenceLevel.MEASURED: "a probe failed when it ran the code",
}


class Cause(msgspec.Struct, frozen=True):
    """A check with its findings, the most severe and best proven first.

    `title` is what is wrong, in the words of the check.
    """

    check: str
    contract: str
    title: str
    findings: list[Finding]

    @property
    def first(self) -> Finding:
        """The finding to read first."""
        return self.findings[0]

    @property
    def severity(self) -> Severity:
        """The severity of the most severe finding."""
        return self.first.severity

    @property
    def fixable(self) -> int:
        """The number of findings that the check's own fixer repairs."""
        return sum(finding.edit is not None for finding in self.findings)


def causes_of(findings: Iterable[Finding], catalogue: CheckCatalogue) -> list[Cause]:
    """Return the findings by cause, the most urgent cause first. Each finding is in one."""
    groups: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=_urgency):
        groups.setdefault(finding.check, []).append(finding)
    causes = [
        Cause(check, found[0].contract, _title(check, catalogue), found)
        for check, found in groups.items()
    ]
    return sorted(
        causes, key=lambda cause: (*_rank(cause.first), -len(cause.findings), cause.check)
    )


def _urgency(finding: Finding) -> tuple[object, ...]:
    return (*_rank(finding), finding.order)


def _rank(finding: Finding) -> tuple[Severity, int, int]:
    """Return what decides the order of findings: severity, then evidence, then whether code meets it."""
    is_refuted = finding.standing is EvidenceLevel.REFUTED
    evidence = len(EVIDENCE_RANK) if is_refuted else EVIDENCE_RANK.index(finding.standing)
    occurrence = finding.impact.reality if finding.impact else Occurrence.POSSIBLE
    return (finding.severity, evidence, list(Occurrence).index(occurrence))


def _title(check: str, catalogue: CheckCatalogue) -> str:
    title = catalogue.check(check).documentation().title
    return f"Does not hold: {title}" if check in catalogue.probe_contracts else title
