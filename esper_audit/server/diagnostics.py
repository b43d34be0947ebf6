"""Diagnostics of a document: its findings, those that have a ticket as hints, and what was not looked at."""

from __future__ import annotations

from collections.abc import Iterable

from lsprotocol import types

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, NotAnalysed, Severity
from esper_audit.project.distribution import check_page
from esper_audit.server.document_check import DocumentResult
from esper_audit.server.positions import Positions

SOURCE = "esper-audit"
LEVELS = {
    Severity.P0: types.DiagnosticSeverity.Error,
    Severity.P1: types.DiagnosticSeverity.Error,
    Severity.P2: types.DiagnosticSeverity.Warning,
    Severity.P3: types.DiagnosticSeverity.Warning,
    Severity.P4: types.DiagnosticSeverity.Information,
}


def diagnostics(result: DocumentResult | str, positions: Positions) -> list[types.Diagnostic]:
    """Return the diagnostics of a checked document.

    An error of the configuration is one of line 1.
    """
    if isinstance(result, str):
        warning = types.DiagnosticSeverity.Warning
        return [_about_line(positions, 1, f"not looked at: {result}", warning)]
    audit = result.audit
    found = [_of_finding(finding, positions) for finding in audit.findings]
    found += [
        _of_finding(one.finding, positions, f" ({one.status}, ticket {one.ticket})")
        for one in audit.ticketed
    ]
    return [*found, *_not_looked_at(audit.not_analysed, positions)]


def findings_at(audit: Audit, positions: Positions, selected: types.Range) -> list[Finding]:
    """Return the findings, ticketed ones included, whose range meets a range of the client."""
    first, last = positions.place(selected.start), positions.place(selected.end)
    found = [*audit.findings, *(one.finding for one in audit.ticketed)]
    return [
        finding
        for finding in found
        if (finding.location.line, finding.location.column) <= last
        and first <= (finding.location.end_line, finding.location.end_column)
    ]


def _of_finding(finding: Finding, positions: Positions, ticket: str = "") -> types.Diagnostic:
    place = finding.location
    hint, page = types.DiagnosticSeverity.Hint, check_page(finding.check)
    return types.Diagnostic(
        range=positions.range(place.line, place.column, place.end_line, place.end_column),
        message=f"{finding.message}{ticket}",
        severity=hint if ticket else LEVELS[finding.severity],
        source=SOURCE,
        code=finding.check,
        code_description=types.CodeDescription(page) if page else None,
        data=finding.fingerprint,
    )


def _not_looked_at(
    problems: Iterable[NotAnalysed], positions: Positions
) -> Iterable[types.Diagnostic]:
    for problem in problems:
        what = f"{problem.check}: " if problem.check else ""
        message = f"not looked at: {what}{problem.reason}"
        yield _about_line(positions, problem.line, message, types.DiagnosticSeverity.Warning)


def _about_line(
    positions: Positions, line: int, message: str, severity: types.DiagnosticSeverity
) -> types.Diagnostic:
    return types.Diagnostic(
        range=positions.line_range(line), message=message, severity=severity, source=SOURCE
    )
