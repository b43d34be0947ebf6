"""Expected failures of monitors: the entries of the configuration that name one, at a file and function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from esper_audit.findings.finding import Finding, Suppressed, Suppression
from esper_audit.project.config_tables import ExpectedFailure
from esper_audit.rules.finding_builder import ConfigFile
from esper_audit.rules.monitor_catalogue import monitor_descriptions
from esper_audit.rules.suppression.expected_failures import (
    expected_codes,
    is_expired,
    outdated_entries,
)
from esper_audit.watch.records import UserLine

Places = Mapping[str, Sequence[UserLine]]  # by monitor, the lines that it looked at


def set_expected_aside(
    findings: Sequence[Finding], expected: Sequence[ExpectedFailure], today: str
) -> tuple[list[Finding], list[Suppressed]]:
    """Return the findings that no entry expects, and the others with the entry as their suppression."""
    kept: list[Finding] = []
    suppressed: list[Suppressed] = []
    for finding in findings:
        entry = next(
            (e for e in expected if _expects(e, finding) and not is_expired(e, today)), None
        )
        if entry is None:
            kept.append(finding)
        else:
            by = Suppression("configuration", entry.reason, until=entry.until or "")
            suppressed.append(Suppressed(finding, by))
    return kept, suppressed


def stale_expected(
    config_file: ConfigFile,
    expected: Sequence[ExpectedFailure],
    seen: Sequence[Finding],
    places: Places,
    today: str,
) -> list[Finding]:
    """Return a finding for each entry that expired, or whose monitor looked there and saw nothing."""

    def objection(entry: ExpectedFailure) -> str:
        looked = {_subject(place.path, function_of(place)) for place in places.get(entry.probe, ())}
        is_seen = any(_expects(entry, finding) for finding in seen)
        is_kept = entry.subject in looked and not is_seen
        return "the monitor looked there and saw nothing" if is_kept else ""

    monitors = monitor_descriptions()
    entries = [(i, entry) for i, entry in enumerate(expected) if entry.probe in monitors]
    return outdated_entries(config_file, entries, objection, today)


def function_of(place: UserLine) -> str:
    """Return the dotted name of a frame's function as the rules write it, empty for a module."""
    return "" if place.function == "<module>" else place.function.replace(".<locals>", "")


def _subject(path: str, function: str) -> str:
    """Return the subject of a line: `PATH:FUNCTION`, or `PATH` for the code of a module."""
    return f"{path}:{function}" if function else path


def _expects(entry: ExpectedFailure, finding: Finding) -> bool:
    """Return whether an entry names the monitor, the place and the codes of a finding."""
    if entry.subject != _subject(finding.location.path, finding.location.symbol):
        return False
    seen = [evidence for evidence in finding.probed if evidence.unit.split("@")[0] == entry.probe]
    codes = expected_codes(entry)
    return bool(seen) and all(evidence.code in codes for evidence in seen)
