"""The parts of one audit, which several machines made, as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from esper_audit.engine.configured_exceptions import with_exception_findings
from esper_audit.findings.audit import Audit, added_timings
from esper_audit.findings.coverage import Coverage
from esper_audit.findings.errors import UsageError
from esper_audit.findings.finding import EvidenceLevel, Finding
from esper_audit.project.config import Project
from esper_audit.text.markdown import listed
from esper_audit.tracking.baseline import read_baseline

Item = TypeVar("Item")


def merge_parts(project: Project, audits: Sequence[Audit], today: str) -> Audit:
    """Return the audit of a run that did the work of all parts of a whole.

    Findings of probes are made anew from all records: one defect can show in several parts. Raises
    UsageError unless each part is there once.
    """
    _require_all(audits)
    parts = sorted(audits, key=lambda audit: audit.shard)
    merged = _merge(project.root, parts)
    if not merged.records:
        return with_exception_findings(merged, project, merged.checks, today)
    from esper_audit.probes.findings import merge_records

    by_rules = msgspec.structs.replace(
        merged,
        findings=[one for one in merged.findings if not _is_measured(one)],
        ticketed=[one for one in merged.ticketed if not _is_measured(one.finding)],
    )
    tickets = project.resolve(project.config.tickets)
    complete = merge_records(by_rules, merged.records)
    baseline = read_baseline(tickets, today).apply(complete, tickets, {})
    ticketed = sorted([*by_rules.ticketed, *baseline.ticketed], key=lambda one: one.finding.order)
    return msgspec.structs.replace(baseline, ticketed=ticketed)


def _require_all(audits: Sequence[Audit]) -> None:
    totals = {audit.shard.total for audit in audits}
    if len(totals) > 1:
        sizes = listed([str(total) for total in sorted(totals)])
        raise UsageError(
            f"the parts are of audits in different numbers of parts (got {sizes}). Merge the parts of one."
        )
    numbers = sorted(audit.shard.number for audit in audits)
    if numbers != list(range(1, max(totals) + 1)):
        got = listed([str(number) for number in numbers])
        raise UsageError(
            f"a part is missing or there twice (got {got}, expected 1 to {max(totals)}). Give each once."
        )


def _is_measured(finding: Finding) -> bool:
    """Return whether a finding is of a probe alone."""
    return finding.standing is EvidenceLevel.MEASURED


def _merge(root: str, parts: Sequence[Audit]) -> Audit:
    checks = set().union(*(audit.checks for audit in parts))
    return Audit(
        root=root,
        findings=_united(parts, lambda a: a.findings, lambda one: one.order),
        suppressed=_united(parts, lambda a: a.suppressed, lambda one: one.finding.order),
        ticketed=_united(parts, lambda a: a.ticketed, lambda one: one.finding.order),
        not_analysed=_united(parts, lambda a: a.not_analysed, lambda one: one),
        files=sum(audit.files for audit in parts),
        notebooks=parts[0].notebooks,
        checks=sorted(checks),
        off=sorted(set().union(*(audit.off for audit in parts)) - checks),
        not_adopted=_united(parts, lambda a: a.not_adopted, lambda one: one),
        hidden=sum(audit.hidden for audit in parts),
        below_severity=sum(audit.below_severity for audit in parts),
        beyond_maximum=sum(audit.beyond_maximum for audit in parts),
        excluded=_united(parts, lambda a: a.excluded, lambda one: one),
        checked=_checked(parts),
        expiring=_united(parts, lambda a: a.expiring, lambda one: one.finding.order),
        records=[record for audit in parts for record in audit.records],
        timings=added_timings(timing for audit in parts for timing in audit.timings),
        coverage=_coverage([a.coverage for a in parts if a.coverage is not None]),
    )


def _united(
    audits: Iterable[Audit],
    part: Callable[[Audit], Iterable[Item]],
    order: Callable[[Item], Any],
) -> list[Item]:
    """Return the items of all audits in order, each once."""
    found = {repr(item): item for audit in audits for item in part(audit)}
    return sorted(found.values(), key=order)


def _checked(audits: Iterable[Audit]) -> dict[str, frozenset[str]]:
    checked: dict[str, frozenset[str]] = defaultdict(frozenset)
    for audit in audits:
        for path, ran in audit.checked.items():
            checked[path] |= ran
    return dict(checked)


def _coverage(parts: Sequence[Coverage]) -> Coverage | None:
    if not parts:
        return None
    classes = sorted((one for part in parts for one in part.classes), key=lambda one: one.name)
    missing = {name: why for part in parts for name, why in part.not_importable.items()}
    return Coverage(classes, missing)
