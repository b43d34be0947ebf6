"""Repeating failures: the program of each runs in a process that has only torch imported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.findings.probe_record import DetectorFailure, ProbeRecord, Verdict, failing_by
from esper_audit.probes.answers.class_answers import ClassAnswers
from esper_audit.probes.exploration.known_recipes import JOBS
from esper_audit.probes.sandbox.job_runner import JobRunner
from esper_audit.probes.sandbox.outcome import Job, JobOutcome, Returned


class Reproduction:
    """Which failures their programs repeat, as earlier runs answered or the jobs of `runner` find."""

    def __init__(self, answers: ClassAnswers, runner: JobRunner) -> None:
        self._answers, self._runner = answers, runner
        self._is_repeated: dict[tuple[str, str], bool] = {}  # by failure and program

    def repeat(self, records: Iterable[ProbeRecord]) -> None:
        """Run the programs of the failures that are not known yet. Raises Interrupted."""
        failures = {
            f"{record.unit} {failure.code}": (record, failure)
            for record in records
            for failure in record.failures
            if _key(record, failure) not in self._is_repeated
        }
        jobs = []
        for name, (record, failure) in failures.items():
            answer = self._answers.is_reproduced(record.places[0].path, failure.reproducer)
            if answer is not None:
                self._is_repeated[_key(record, failure)] = answer
                continue
            arguments: dict[str, object] = {"program": failure.reproducer, "folder": ""}
            jobs.append(Job(name, f"{JOBS}:repeat_program", arguments))
        for outcome in self._runner.run(jobs) if jobs else ():
            record, failure = failures[outcome.job]
            is_repeated = self._is_repeated[_key(record, failure)] = _is_reproduced(
                outcome, failure
            )
            path = record.places[0].path
            if isinstance(outcome.ending, Returned):
                self._answers.put_reproduced(path, failure.reproducer, is_reproduced=is_repeated)

    def is_complete(self, records: Iterable[ProbeRecord]) -> bool:
        """Return whether the programs of all failures of some records have run."""
        return all(_key(r, failure) in self._is_repeated for r in records for failure in r.failures)

    def stable(self, record: ProbeRecord) -> ProbeRecord:
        """Return a record with the failures that are repeated."""
        if not record.failures:
            return record
        kept = tuple(f for f in record.failures if self._is_repeated[_key(record, f)])
        if kept:
            return failing_by(record, kept)
        message = "the reproducer does not show it in a fresh process"
        return msgspec.structs.replace(
            record, verdict=Verdict.INCONCLUSIVE, code="unstable", message=message, failures=()
        )


def lost_failures(before: Sequence[ProbeRecord], after: Sequence[ProbeRecord]) -> tuple[str, ...]:
    """Return the failures of records that are not among those which are repeated."""
    return tuple(
        f"{measured.probe}: {failure.code}"
        for measured, kept in zip(before, after, strict=True)
        for failure in measured.failures
        if failure not in kept.failures
    )


def _key(record: ProbeRecord, failure: DetectorFailure) -> tuple[str, str]:
    return f"{record.unit} {failure.code}", failure.reproducer


def _is_reproduced(outcome: JobOutcome, failure: DetectorFailure) -> bool:
    """Return whether a program ended with the error that its failure expects."""
    ending = outcome.ending
    return isinstance(ending, Returned) and str(ending.value).startswith(failure.expects or "\0")
