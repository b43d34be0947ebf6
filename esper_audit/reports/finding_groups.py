"""Findings in the order of a report, the most severe first, and equal ones of a file as one group."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from esper_audit.findings.finding import Finding


class FindingGroup(msgspec.Struct, frozen=True):
    """A finding, and the later findings of its file that differ in their place only."""

    first: Finding
    others: list[Finding]


class CheckStatistics(msgspec.Struct, frozen=True):
    """How many findings a check has, in how many files, and how many of them it can fix."""

    check: str
    severity: str
    findings: int
    files: int
    fixable: int


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the most severe first, then by place."""
    return sorted(findings, key=lambda finding: (finding.severity, finding.order))


def fold_equal(findings: Iterable[Finding]) -> list[FindingGroup]:
    """Return the findings by severity, those of one file that differ in their place only as a group."""
    groups: dict[object, FindingGroup] = {}
    for finding in by_severity(findings):
        group = groups.setdefault(_content(finding), FindingGroup(finding, []))
        if group.first is not finding:
            group.others.append(finding)
    return list(groups.values())


def statistics(findings: Iterable[Finding]) -> list[CheckStatistics]:
    """Return the counts of every check and severity that has findings, the most severe first."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.check), []).append(finding)
    counted = [
        CheckStatistics(
            check,
            severity,
            len(found),
            len({finding.location.path for finding in found}),
            sum(finding.edit is not None for finding in found),
        )
        for (severity, check), found in groups.items()
    ]
    return sorted(counted, key=lambda one: (one.severity, -one.findings, one.check))


def _content(finding: Finding) -> object:
    """Return what a reader sees of a finding beside its place.

    Evidence of its own keeps it apart.
    """
    if finding.probed:
        return finding.order
    impact = finding.impact.words if finding.impact else ""
    edit = finding.edit.description if finding.edit else ""
    return (finding.location.path, finding.severity, finding.check, finding.message, impact, edit)
