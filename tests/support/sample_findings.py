"""Findings to make tickets and audits of."""

from __future__ import annotations

from esper_audit.findings.finding import Category, Confidence, Finding, Location, Severity


def a_finding(
    path: str = "model.py", line: int = 3, fingerprint: str = "0123456789abcdef"
) -> Finding:
    """Return a finding of `unauthorised-hasattr`."""
    return Finding(
        location=Location(path, line, 5, line, 20, "Model.forward"),
        check="unauthorised-hasattr",
        contract="no-hasattr",
        message='hasattr(host, "x") checks for an undeclared attribute',
        severity=Severity.P3,
        category=Category.DEFENSIVE_PROGRAMMING,
        confidence=Confidence.HIGH,
        fingerprint=fingerprint,
        excerpt='    if hasattr(host, "x"):\n        pass',
        excerpt_line=line,
    )
