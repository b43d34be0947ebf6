"""The claim `probe`: a probe has an outcome on a subject."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.needs import Need
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted, stale
from esper_audit.claims.subject_query import SubjectSource
from esper_audit.findings.probe_record import ProbeRecord, Verdict

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext
    from esper_audit.probes.sandbox.outcome import Job

Unit = Annotated[str, msgspec.Meta(pattern=r"^[\w-]+\[[^\]@]+@[^\]]+\]$")]
JUDGED = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.EXPECTED_FAIL, Verdict.UNEXPECTED_PASS})


class ProbeClaim(Claim, frozen=True, kw_only=True, tag="probe"):
    """A unit of the probes, `probe[subject@state]`, comes out as said: `pass` if nothing else is."""

    unit: Unit
    outcome: Verdict = Verdict.PASS
    subjects: SubjectSource = ""

    def __post_init__(self) -> None:
        """Refuse to claim that nothing came of it."""
        judged = ", ".join(sorted(JUDGED))
        self.require(told=self.outcome in JUDGED, wanted=f"`outcome` is one of {judged}")

    def needs(self, context: ClaimContext) -> Iterable[Need]:
        """Wish for the unit to be run, unless this audit just ran it."""
        if context.record_of(self.unit, self.subjects) is not None:
            return ()
        job = self._job(context)
        return () if isinstance(job, Reply) else (job,)

    def answer(self, context: ClaimContext) -> Reply:
        """Compare the verdict."""
        record = context.record_of(self.unit, self.subjects)
        if record is not None:
            return self._judged(record)
        job = self._job(context)
        if isinstance(job, Reply):
            return job
        from esper_audit.probes.subject_queries import UnitResult

        told = context.result(job, UnitResult)
        if isinstance(told, Reply):
            return told
        if told.record is None:
            return stale(told.absent)
        return self._judged(context.as_expected(told.record))

    def _judged(self, record: ProbeRecord) -> Reply:
        # What passes is told without its readings: their last digits are those of a machine.
        said = f": {record.message}" if record.verdict is not Verdict.PASS else ""
        evidence = f"{self.unit}: {record.verdict}{said}"
        if record.verdict not in JUDGED:
            return cannot_tell(evidence)
        return holds(evidence) if record.verdict is self.outcome else refuted(evidence)

    def _job(self, context: ClaimContext) -> Job | Reply:
        return context.subject_job("measure_promised_unit", self.subjects, {"unit": self.unit})
