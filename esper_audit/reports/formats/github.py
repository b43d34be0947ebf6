"""Output for GitHub Actions: annotations, the worst first, and a line that says how many it will not show."""

from __future__ import annotations

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.rules.catalogue import CheckCatalogue

SHOWN_BY_GITHUB = 10


def render(audit: Audit, handbook: CheckCatalogue) -> str:
    """Return workflow commands; GitHub shows ten errors a step, so the tenth counts those beyond."""
    commands = [_not_analysed(problem) for problem in audit.not_analysed]
    commands += [_annotation(finding) for finding in sorted(audit.findings, key=_worst_first)]
    lines = commands
    if len(commands) > SHOWN_BY_GITHUB:
        shown = SHOWN_BY_GITHUB - 1
        more = f"{len(commands) - shown} more that GitHub does not show here; the log has them all"
        lines = [*commands[:shown], f"::error title=esper-audit::{more}", *commands[shown:]]
    counted = f"{len(audit.findings)} findings, {len(audit.suppressed)} authorised, "
    summary = counted + f"{len(audit.not_analysed)} not looked at, {audit.files} files"
    return "\n".join([*lines, f"esper-audit: {summary}"]) + "\n"


def _worst_first(finding: Finding) -> tuple[str, object]:
    return (finding.severity, finding.order)


def _annotation(finding: Finding) -> str:
    at = finding.location
    place = f"file={_property(at.path)},line={at.line},endLine={at.end_line},col={at.column}"
    title = _property(f"{finding.severity} {finding.check}")
    return f"::error {place},title={title}::{_message(finding.message)}"


def _not_analysed(problem: NotAnalysed) -> str:
    place = f"file={_property(problem.path)},line={max(problem.line, 1)}"
    return f"::error {place},title=not looked at::{_message(problem.sentence())}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
