"""Answers the claim `probe`: a probe has an outcome on a subject."""

from __future__ import annotations

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need
from esper_audit.claims.records import DECIDED_VERDICTS, ProbeClaim
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted, stale
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.probes.sandbox.outcome import Job
from esper_audit.probes.subject_queries import UnitResult


def needs(claim: ProbeClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return the job that runs the unit, unless this audit has a record of it already."""
    if context.probe_record(claim.unit, claim.subjects) is not None:
        return ()
    job = _job(claim, context)
    return () if isinstance(job, Reply) else (job,)


def answer(claim: ProbeClaim, context: ClaimContext) -> Reply:
    """Return whether the unit has the claimed verdict."""
    record = context.probe_record(claim.unit, claim.subjects)
    if record is not None:
        return _compared(claim, record)
    job = _job(claim, context)
    result = job if isinstance(job, Reply) else context.result(job, UnitResult)
    if isinstance(result, Reply):
        return result
    if result.record is None:
        return stale(result.absent)
    return _compared(claim, context.apply_expected_failures(result.record))


def _compared(claim: ProbeClaim, record: ProbeRecord) -> Reply:
    # The message of a pass is left out: the last digits of its readings differ between machines.
    message = f": {record.message}" if record.verdict is not Verdict.PASS else ""
    evidence = f"{claim.unit}: {record.verdict}{message}"
    if record.verdict not in DECIDED_VERDICTS:
        return cannot_tell(evidence)
    return holds(evidence) if record.verdict is claim.outcome else refuted(evidence)


def _job(claim: ProbeClaim, context: ClaimContext) -> Job | Reply:
    return context.subject_job("measure_promised_unit", claim.subjects, {"unit": claim.unit})
