"""The job that evaluates formulas over a subject's quantities in the sandbox, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.reply import Reply, stale
from esper_audit.probes.formula import Number
from esper_audit.probes.sandbox.outcome import Job
from esper_audit.probes.subject_queries import ValueTable

Point = Mapping[str, Number]


def value_job(
    context: ClaimContext,
    formulas: Sequence[str],
    points: Sequence[Point],
    subject: str,
    subjects: str,
) -> Job | Reply:
    """Return the job that evaluates formulas at points, or the reply that names what is missing."""
    arguments = {"subject": subject, "formulas": list(formulas), "points": list(points)}
    if not subject:
        return context.job("tabulate", {"source": "", **arguments})
    return context.subject_job("tabulate", subjects, arguments)


def value_table(context: ClaimContext, job: Job | Reply) -> ValueTable | Reply:
    """Return a row of values for each point, or the reply that states why there are none."""
    if isinstance(job, Reply):
        return job
    table = context.result(job, ValueTable)
    if isinstance(table, Reply):
        return table
    return stale(f"there is {table.absent}") if table.absent else table


def formatted(number: Number) -> str:
    """Return a number with separated thousands and six significant digits."""
    return f"{int(number):,}" if number == int(number) else f"{number:,.6g}"
