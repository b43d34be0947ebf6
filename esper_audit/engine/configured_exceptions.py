"""The exceptions of the configuration against what they matched: expired, idle, grown, or without an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, Suppressed
from esper_audit.project.config import Project
from esper_audit.project.config_tables import AllowedFinding
from esper_audit.project.path_patterns import PathPatterns
from esper_audit.rules.finding_builder import ConfigFile
from esper_audit.rules.rule import Check
from esper_audit.rules.suppression.suppression_checks import (
    ExpiredSuppression,
    GrownException,
    InvalidSuppression,
    UnusedSuppression,
)
from esper_audit.tracking.fingerprint import assign_fingerprints

ALLOW = "allow"
Objection = tuple[type[Check], str]


def with_exception_findings(
    audit: Audit, project: Project, checks: Collection[str], today: str
) -> Audit:
    """Return an audit of all files with the findings about configured exceptions by checks that are on."""
    about = _exception_findings(project, audit, today)
    found = [finding for finding in about if finding.check in checks]
    findings = sorted([*audit.findings, *found], key=lambda finding: finding.order)
    return msgspec.structs.replace(audit, findings=findings)


def _exception_findings(project: Project, audit: Audit, today: str) -> list[Finding]:
    """Return a finding for each configured exception that is not as it has to be.

    An exception is idle only if its check ran on a file that its path covers.
    """
    config, config_file = project.config, ConfigFile(project.root, project.file)
    completed = dict(audit.checked)
    for problem in audit.not_analysed:
        completed.pop(problem.path, None)
    matched = Counter(entry for one in audit.suppressed for entry in one.suppression.entries)
    found = []
    for position, entry in enumerate(config.allow):
        for check, message in _objections(entry, matched[position], completed, today):
            found.append(config_file.finding(ALLOW, position, check, message))
        if config.suppressions.require_expiry and not entry.until:
            message = (
                f"this exception has no last day, which this project requires: {_named(entry)}"
            )
            found.append(config_file.finding(ALLOW, position, InvalidSuppression, message))
    return assign_fingerprints(found)


def _objections(
    entry: AllowedFinding, matched: int, completed: Mapping[str, Collection[str]], today: str
) -> Iterator[Objection]:
    if entry.until and entry.until < today:
        yield ExpiredSuppression, f"this exception expired on {entry.until}: {_named(entry)}"
    elif not matched and _is_covered(entry, completed):
        yield UnusedSuppression, f"this exception authorises nothing: {_named(entry)}"
    elif entry.most is not None and matched > entry.most:
        yield (
            GrownException,
            (
                f"this exception covers more than it was written for (got {matched} findings, "
                f"expected at most {entry.most}): {_named(entry)}"
            ),
        )


def _named(entry: AllowedFinding) -> str:
    return f"`{entry.check}` at `{entry.path}` ({entry.reason})"


def _is_covered(entry: AllowedFinding, completed: Mapping[str, Collection[str]]) -> bool:
    """Return whether the check of an exception ran on a file below its path."""
    paths = PathPatterns([entry.path])
    return any(entry.check in checks and paths.is_match(path) for path, checks in completed.items())


def expiring_soon(suppressed: Iterable[Suppressed], days: int, today: str) -> list[Suppressed]:
    """Return what is suppressed today and for at most so many days more."""
    last = (date.fromisoformat(today) + timedelta(days=days)).isoformat()
    return [one for one in suppressed if one.suppression.until and one.suppression.until <= last]
