"""Apply the expected failures of the configuration to probe records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Finding
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.project.config import Expect
from esper_audit.rules.finding_builder import ConfigFile
from esper_audit.rules.suppressions import ExpiredSuppression, UnusedSuppression
from esper_audit.tracking.fingerprint import assign_fingerprints

EVERY_STATE = "*"
TABLE = "expect"


def as_expected(record: ProbeRecord, expected: Sequence[Expect], today: str) -> ProbeRecord:
    """Return a record with its verdict adjusted to the expectation that matches it.

    A failure with the expected code is an expected failure, a pass is unexpected. A crash, another
    code or an expired expectation leaves the record unchanged.
    """
    entry = next(
        (e for e in expected if _is_matched(e, record) and not _is_expired(e, today)), None
    )
    if entry is None:
        return record
    if record.verdict is Verdict.PASS:
        message = f"holds, though it was expected not to: {entry.reason}; drop the expectation"
        return msgspec.structs.replace(record, verdict=Verdict.UNEXPECTED_PASS, message=message)
    if record.verdict is Verdict.FAIL and record.code == entry.code:
        message = f"{record.message}; expected: {entry.reason}"
        return msgspec.structs.replace(record, verdict=Verdict.EXPECTED_FAIL, message=message)
    return record


def idle_expectations(
    config_file: ConfigFile, expected: Sequence[Expect], records: Iterable[ProbeRecord], today: str
) -> list[Finding]:
    """Return findings for expectations that have expired, match no record, or are no longer needed."""
    ran = [record for record in records if record.verdict is not Verdict.NOT_APPLICABLE]
    return assign_fingerprints(_idle(config_file, expected, ran, today))


def _idle(
    config_file: ConfigFile, expected: Sequence[Expect], ran: Sequence[ProbeRecord], today: str
) -> Iterator[tuple[Finding, str]]:
    for position, entry in enumerate(expected):
        what = f"`{entry.probe}` of `{entry.subject}` ({entry.reason})"
        matching = [record for record in ran if _is_matched(entry, record)]
        if _is_expired(entry, today):
            message = f"this expectation expired on {entry.until}: {what}"
            yield config_file.finding(TABLE, position, ExpiredSuppression, message)
        elif not matching:
            message = f"this expectation speaks of no promise that is made: {what}"
            yield config_file.finding(TABLE, position, UnusedSuppression, message)
        elif any(record.verdict is Verdict.UNEXPECTED_PASS for record in matching):
            message = f"this expectation is not needed any more, the promise is kept: {what}"
            yield config_file.finding(TABLE, position, UnusedSuppression, message)


def _is_matched(entry: Expect, record: ProbeRecord) -> bool:
    same = (entry.probe, entry.subject) == (record.probe, record.subject)
    return same and entry.state in (EVERY_STATE, record.state)


def _is_expired(entry: Expect, today: str) -> bool:
    return bool(entry.until and entry.until < today)
