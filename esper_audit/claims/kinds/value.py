"""The claim `value`: an expression over a subject equals a number, or lies within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from esper_audit.claims.claim import Claim
from esper_audit.claims.needs import Need
from esper_audit.claims.reply import Reply, Text, cannot_tell, holds, refuted
from esper_audit.claims.subject_query import SubjectSource, job_of, read_formulas, table_of, written
from esper_audit.probes.formula import Number

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext
    from esper_audit.probes.sandbox.outcome import Job


class ValueClaim(Claim, frozen=True, kw_only=True, tag="value"):
    """The expression `equals` a number, give or take `within`; or is `at_least`, `at_most` numbers.

    Quantities of the subject: `parameters(width)`, `trainable(width)`, `buffers(width)`,
    `estimate(width)`, `ratio(seed_norm, host_norm, seed_params, host_params)`, `average(samples...)`.
    """

    expression: Text
    equals: Number | None = None
    within: Number = 0
    at_least: Number | None = None
    at_most: Number | None = None
    subject: str = ""
    subjects: SubjectSource = ""

    def __post_init__(self) -> None:
        """Refuse an expression that cannot be read, and a claim without, or with two kinds of, bounds."""
        told, why = read_formulas({"expression": self.expression}, (), self.subject)
        self.require(told=told, wanted=why)
        bounded = self.at_least is not None or self.at_most is not None
        wanted = "either `equals`, or `at_least` and `at_most` or one of them"
        self.require(told=bounded != (self.equals is not None), wanted=wanted)
        self.require(told=self.within >= 0, wanted="`within` is at least 0")

    def needs(self, context: ClaimContext) -> Iterable[Need]:
        """Wish for the value."""
        job = self._job(context)
        return () if isinstance(job, Reply) else (job,)

    def answer(self, context: ClaimContext) -> Reply:
        """Compare the value."""
        table = table_of(context, self._job(context))
        if isinstance(table, Reply):
            return table
        ((cell,),) = table.rows
        if cell.value is None:
            return cannot_tell(f"{self.expression} has no value: {cell.reason}")
        said = f"{self.expression} = {written(cell.value)}"
        of = f" for {self.subject}" if self.subject else ""
        if self._is_met(cell.value):
            return holds(said + of)
        return refuted(f"{said}{of}, not {self._wanted()}")

    def _is_met(self, value: Number) -> bool:
        if self.equals is not None:
            return abs(value - self.equals) <= self.within
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)

    def _wanted(self) -> str:
        if self.equals is not None:
            tolerance = f" give or take {written(self.within)}" if self.within else ""
            return written(self.equals) + tolerance
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{word} {written(n)}" for word, n in bounds if n is not None)

    def _job(self, context: ClaimContext) -> Job | Reply:
        return job_of(context, [self.expression], [{}], self.subject, self.subjects)
