"""Output for GitLab: a Code Quality report."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.rules.catalogue import CheckCatalogue

SEVERITIES = {"P0": "blocker", "P1": "critical", "P2": "major", "P3": "minor", "P4": "info"}
NOT_LOOKED_AT = "not-looked-at"
Json: TypeAlias = "dict[str, Json] | list[Json] | str | int"


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return the findings, and what was not analysed, as a JSON list."""
    entries = [_finding(finding) for finding in audit.findings]
    entries += [_not_analysed(problem) for problem in audit.not_analysed]
    return msgspec.json.format(msgspec.json.encode(entries), indent=2).decode() + "\n"


def _finding(finding: Finding) -> Json:
    at = finding.location
    lines: dict[str, Json] = {"begin": at.line, "end": at.end_line}
    return {
        "description": finding.message,
        "check_name": finding.check,
        "fingerprint": finding.fingerprint,
        "severity": SEVERITIES[finding.severity],
        "location": {"path": at.path, "lines": lines},
    }


def _not_analysed(problem: NotAnalysed) -> Json:
    text = f"not looked at: {problem.sentence()}"
    return {
        "description": text,
        "check_name": problem.check or NOT_LOOKED_AT,
        "fingerprint": hashlib.sha256(text.encode()).hexdigest()[:16],
        "severity": "major",
        "location": {"path": problem.path, "lines": {"begin": max(problem.line, 1)}},
    }
