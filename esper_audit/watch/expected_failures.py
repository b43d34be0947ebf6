"""Expected failures of monitors: the entries of the configuration that name one, at a file and function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from esper_audit.findings.finding import Finding, Suppressed, Suppression
from esper_audit.project.config_tables import ExpectedFailure
from esper_audit.rules.finding_builder import ConfigFile
from esper_audit.rules.monitor_catalogue import monitor_descriptions
from esper_audit.rules.suppression.expected_failures import TABLE, expected_codes, is_expired
from esper_audit.rules.suppression.suppression_checks import ExpiredSuppression, UnusedSuppression
from esper_audit.tracking.fingerprint import assign_fingerprints
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
    return assign_fingerprints(_stale(config_file, expected, seen, places, today))


def _stale(
    config_file: ConfigFile,
    expected: Sequence[ExpectedFailure],
    seen: Sequence[Finding],
    places: Places,
    today: str,
) -> Iterator[tuple[Finding, str]]:
    for position, entry in enumerate(expected):
        if entry.probe not in monitor_descriptions():
            continue
        what = f"`{entry.probe}` of `{entry.subject}` ({entry.reason})"
        looked = any(
            subject_of_line(place) == entry.subject for place in places.get(entry.probe, ())
        )
        if is_expired(entry, today):
            message = f"the expectation expired on {entry.until}: {what}"
            yield config_file.finding(TABLE, position, ExpiredSuppression, message)
        elif looked and not any(_expects(entry, finding) for finding in seen):
            message = f"the monitor looked there and saw nothing: {what}. Remove the expectation"
            yield config_file.finding(TABLE, position, UnusedSuppression, message)


def subject_of_line(place: UserLine) -> str:
    """Return the subject of a line: `PATH:FUNCTION`, or `PATH` for the code of a module."""
    return _subject(place.path, function_of(place))


def function_of(place: UserLine) -> str:
    """Return the dotted name of a frame's function as the rules write it, empty for a module."""
    return "" if place.function == "<module>" else place.function.replace(".<locals>", "")


def _subject(path: str, function: str) -> str:
    return f"{path}:{function}" if function else path


def _expects(entry: ExpectedFailure, finding: Finding) -> bool:
    """Return whether an entry names the monitor, the place and the codes of a finding."""
    if entry.subject != _subject(finding.location.path, finding.location.symbol):
        return False
    seen = [evidence for evidence in finding.probed if evidence.unit.split("@")[0] == entry.probe]
    codes = expected_codes(entry)
    return bool(seen) and all(evidence.code in codes for evidence in seen)
