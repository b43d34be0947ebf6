"""Output for GitHub Actions: one annotation for each finding, the most severe first."""

from __future__ import annotations

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import count

SHOWN_BY_GITHUB = 10


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return workflow commands.

    Of more than GitHub shows for a step, the last shown counts the rest.
    """
    commands = [_not_analysed(problem) for problem in audit.not_analysed]
    commands += [_annotation(finding) for finding in sorted(audit.findings, key=_by_severity)]
    lines = commands
    if len(commands) > SHOWN_BY_GITHUB:
        shown = SHOWN_BY_GITHUB - 1
        more = f"{len(commands) - shown} more are not shown here; the log lists all of them"
        lines = [*commands[:shown], f"::error title=esper-audit::{more}", *commands[shown:]]
    units = len(audit.records)
    scope = count(audit.files, "file") if audit.files or not units else count(units, "unit")
    summary = (
        f"{count(len(audit.findings), 'finding')}, {len(audit.suppressed)} authorised, "
        f"{len(audit.not_analysed)} not looked at, {scope}"
    )
    return "\n".join([*lines, f"esper-audit: {summary}"]) + "\n"


def _by_severity(finding: Finding) -> tuple[str, object]:
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
