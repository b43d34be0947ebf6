"""How a claim asks a subject for numbers: formulas over quantities, at points, computed in the sandbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec

from esper_audit.claims.reply import Reply, stale
from esper_audit.probes.formula import Formula, NotAFormula, Number

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext
    from esper_audit.probes.sandbox.outcome import Job
    from esper_audit.probes.subject_queries import ValueTable

SubjectSource = Annotated[str, msgspec.Meta(pattern=r"^$|^[^\s:]+:\w+$")]
QUANTITIES = frozenset({"parameters", "trainable", "buffers", "estimate", "ratio", "average"})
Point = Mapping[str, Number]


def read_formulas(texts: Mapping[str, str], names: Iterable[str], subject: str) -> tuple[bool, str]:
    """Return whether formulas, by their keys, can be read and ask a subject only if there is one; else why not."""
    for key, text in texts.items():
        try:
            formula = Formula(text, set(names), QUANTITIES)
        except (NotAFormula, ValueError) as error:
            return False, f"`{key}`: {error}"
        if formula.quantities_used and not subject:
            return False, f"`{key}` asks for {min(formula.quantities_used)} of no `subject`"
    return True, ""


def job_of(
    context: ClaimContext,
    formulas: Sequence[str],
    points: Sequence[Point],
    subject: str,
    subjects: str,
) -> Job | Reply:
    """Return the job that evaluates formulas at points."""
    arguments = {"subject": subject, "formulas": list(formulas), "points": list(points)}
    if not subject:
        return context.job("tabulate", {"source": "", **arguments})
    return context.subject_job("tabulate", subjects, arguments)


def table_of(context: ClaimContext, job: Job | Reply) -> ValueTable | Reply:
    """Return what a job came to, else the reply that says why there is none."""
    from esper_audit.probes.subject_queries import ValueTable

    if isinstance(job, Reply):
        return job
    told = context.result(job, ValueTable)
    if isinstance(told, Reply):
        return told
    return stale(f"there is {told.absent}") if told.absent else told


def written(number: Number) -> str:
    """Return a number as people read it: thousands apart, no digits that mean nothing."""
    return f"{int(number):,}" if number == int(number) else f"{number:,.6g}"
