"""Expected failures: the promises that the configuration lists as broken, each with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from esper_audit.findings.finding import Finding
from esper_audit.findings.probe_record import ProbeRecord, Verdict, failing_by
from esper_audit.project.config_tables import ExpectedFailure
from esper_audit.rules.finding_builder import ConfigFile
from esper_audit.rules.monitor_catalogue import monitor_descriptions
from esper_audit.rules.suppression.suppression_checks import ExpiredSuppression, UnusedSuppression
from esper_audit.tracking.fingerprint import assign_fingerprints

EVERY_STATE = "*"
TABLE = "expect"


def apply_expectation(
    record: ProbeRecord, expected: Sequence[ExpectedFailure], today: str
) -> ProbeRecord:
    """Return a record with the verdict that results from the matching expectation, if there is one.

    A failure of the expected detectors alone becomes `expected-fail`, and a pass becomes
    `unexpected-pass`. A failure of another detector, too, stays a failure by that one. Any other record is
    unchanged: a crash, another code, or an expectation that expired before `today`.
    """
    entries = [e for e in expected if _is_about(e, record) and not is_expired(e, today)]
    if not entries:
        return record
    entry = entries[0]
    if record.verdict is Verdict.PASS:
        message = f"the promise is kept, but a failure is expected: {entry.reason}. Remove the expectation"
        return msgspec.structs.replace(record, verdict=Verdict.UNEXPECTED_PASS, message=message)
    codes = {code for entry in entries for code in expected_codes(entry)}
    others = [failure for failure in record.failures if failure.code not in codes]
    if record.verdict is Verdict.FAIL and record.code in codes and others:
        return failing_by(record, others)
    if record.verdict is Verdict.FAIL and record.code in codes:
        entry = next(e for e in entries if record.code in expected_codes(e))
        message = f"{record.message}. Expected: {entry.reason}"
        return msgspec.structs.replace(record, verdict=Verdict.EXPECTED_FAIL, message=message)
    return record


def expected_codes(entry: ExpectedFailure) -> list[str]:
    """Return the detectors whose failure is expected."""
    return [entry.code] if isinstance(entry.code, str) else entry.code


def stale_expectations(
    config_file: ConfigFile,
    expected: Sequence[ExpectedFailure],
    records: Iterable[ProbeRecord],
    today: str,
) -> list[Finding]:
    """Return a finding for each expectation that expired, matches no record, or is outdated."""
    ran = [record for record in records if record.verdict is not Verdict.NOT_APPLICABLE]

    def objection(entry: ExpectedFailure) -> str:
        verdicts = {record.verdict for record in ran if _is_about(entry, record)}
        if not verdicts:
            return "no subject makes this promise"
        return "the promise is kept" if Verdict.UNEXPECTED_PASS in verdicts else ""

    monitors = monitor_descriptions()
    entries = [(i, entry) for i, entry in enumerate(expected) if entry.probe not in monitors]
    return outdated_entries(config_file, entries, objection, today)


def outdated_entries(
    config_file: ConfigFile,
    entries: Iterable[tuple[int, ExpectedFailure]],
    objection: Callable[[ExpectedFailure], str],
    today: str,
) -> list[Finding]:
    """Return a finding for each entry that expired, or to which there is an objection.

    An entry comes with its position in the configuration. An objection is a sentence, empty for none.
    """

    def outdated() -> Iterator[tuple[Finding, str]]:
        for position, entry in entries:
            what = f"`{entry.probe}` of `{entry.subject}` ({entry.reason})"
            if is_expired(entry, today):
                message = f"the expectation expired on {entry.until}: {what}"
                yield config_file.finding(TABLE, position, ExpiredSuppression, message)
            elif why := objection(entry):
                message = f"{why}: {what}. Remove the expectation"
                yield config_file.finding(TABLE, position, UnusedSuppression, message)

    return assign_fingerprints(outdated())


def _is_about(entry: ExpectedFailure, record: ProbeRecord) -> bool:
    same = (entry.probe, entry.subject) == (record.probe, record.subject)
    return same and entry.state in (EVERY_STATE, record.state)


def is_expired(entry: ExpectedFailure, today: str) -> bool:
    """Return whether the last day of an entry is over."""
    return bool(entry.until and entry.until < today)
