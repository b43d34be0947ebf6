"""Output for GitHub Actions: one annotation for each finding, the most severe first."""

from __future__ import annotations

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.reports.finding_groups import by_severity
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import count

SHOWN_BY_GITHUB = 10  # of each level, in a step
LEVELS = {"P0": "error", "P1": "error", "P2": "warning", "P3": "warning", "P4": "notice"}


def render(audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return workflow commands.

    Of more than GitHub shows of a level in a step, the last shown counts the rest.
    """
    commands = [("error", _not_analysed(problem)) for problem in audit.not_analysed]
    commands += [(LEVELS[f.severity], _annotation(f)) for f in by_severity(audit.findings)]
    lines: list[str] = []
    for level in dict.fromkeys(LEVELS.values()):
        lines += _counted(level, [text for own, text in commands if own == level])
    units = len(audit.records)
    scope = count(audit.files, "file") if audit.files or not units else count(units, "unit")
    summary = (
        f"{count(len(audit.findings), 'finding')}, {len(audit.suppressed)} authorised, "
        f"{len(audit.not_analysed)} not looked at, {scope}"
    )
    return "\n".join([*lines, f"esper-audit: {summary}"]) + "\n"


def _counted(level: str, lines: list[str]) -> list[str]:
    """Return the annotations of a level, with one that counts those that GitHub will not show."""
    if len(lines) <= SHOWN_BY_GITHUB:
        return lines
    shown = SHOWN_BY_GITHUB - 1
    more = f"{len(lines) - shown} more are not shown here; the log lists all of them"
    return [*lines[:shown], f"::{level} title=esper-audit::{more}", *lines[shown:]]


def _annotation(finding: Finding) -> str:
    at = finding.location
    place = f"file={_property(at.path)},line={at.line},endLine={at.end_line},col={at.column}"
    title = _property(f"{finding.severity} {finding.check}")
    return f"::{LEVELS[finding.severity]} {place},title={title}::{_message(finding.message)}"


def _not_analysed(problem: NotAnalysed) -> str:
    place = f"file={_property(problem.path)},line={max(problem.line, 1)}"
    return f"::error {place},title=not looked at::{_message(problem.sentence())}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
