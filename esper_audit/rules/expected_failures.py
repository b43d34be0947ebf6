"""Expected failures: promises known to be broken, one list in the configuration for every door, and strict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Finding
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.project.config import ExpectedFailure, Project
from esper_audit.rules.suppressions import ExpiredSuppression, UnusedSuppression, about_entry
from esper_audit.tracking.fingerprint import assign_fingerprints

EVERY_STATE = "*"
TABLE = "expect"


def as_expected(
    record: ProbeRecord, expected: Sequence[ExpectedFailure], today: str
) -> ProbeRecord:
    """Return a record in the light of what was expected of it.

    A failure with the expected code is an expected one; a pass is unexpected. A crash, or another
    detector, satisfies nothing, and neither does an expectation whose day has passed.
    """
    entry = next((e for e in expected if _speaks_of(e, record) and not _expired(e, today)), None)
    if entry is None:
        return record
    if record.verdict is Verdict.PASS:
        said = f"holds, though it was expected not to: {entry.reason}; drop the expectation"
        return msgspec.structs.replace(record, verdict=Verdict.UNEXPECTED_PASS, message=said)
    if record.verdict is Verdict.FAIL and record.code == entry.code:
        said = f"{record.message}; expected: {entry.reason}"
        return msgspec.structs.replace(record, verdict=Verdict.EXPECTED_FAIL, message=said)
    return record


def idle_expectations(
    project: Project, records: Iterable[ProbeRecord], today: str
) -> list[Finding]:
    """Return findings for expectations that have expired, speak of nothing that was run, or are outlived."""
    ran = [record for record in records if record.verdict is not Verdict.NOT_APPLICABLE]
    return assign_fingerprints(_idle(project, ran, today))


def _idle(
    project: Project, ran: Sequence[ProbeRecord], today: str
) -> Iterator[tuple[Finding, str]]:
    for position, entry in enumerate(project.config.expect):
        what = f"`{entry.probe}` of `{entry.subject}` ({entry.reason})"
        if _expired(entry, today):
            message = f"this expectation expired on {entry.until}: {what}"
            yield about_entry(project, TABLE, position, ExpiredSuppression, message)
            continue
        spoken_of = [record for record in ran if _speaks_of(entry, record)]
        if not spoken_of:
            message = f"this expectation speaks of no promise that is made: {what}"
            yield about_entry(project, TABLE, position, UnusedSuppression, message)
        elif any(record.verdict is Verdict.UNEXPECTED_PASS for record in spoken_of):
            message = f"this expectation is not needed any more, the promise is kept: {what}"
            yield about_entry(project, TABLE, position, UnusedSuppression, message)


def _speaks_of(entry: ExpectedFailure, record: ProbeRecord) -> bool:
    same = (entry.probe, entry.subject) == (record.probe, record.subject)
    return same and entry.state in (EVERY_STATE, record.state)


def _expired(entry: ExpectedFailure, today: str) -> bool:
    return bool(entry.until and entry.until < today)
