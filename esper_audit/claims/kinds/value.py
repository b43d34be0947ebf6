"""Answers the claim `value`: an expression over a subject equals a number or lies within bounds."""

from __future__ import annotations

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need
from esper_audit.claims.quantity_claims import ValueClaim
from esper_audit.claims.reply import Reply, cannot_tell, holds, refuted
from esper_audit.claims.subject_query import formatted, value_job, value_table
from esper_audit.probes.formula import Number
from esper_audit.probes.sandbox.outcome import Job


def needs(claim: ValueClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return the job that evaluates the expression."""
    job = _job(claim, context)
    return () if isinstance(job, Reply) else (job,)


def answer(claim: ValueClaim, context: ClaimContext) -> Reply:
    """Return whether the value is the number claimed, or lies within the bounds."""
    table = value_table(context, _job(claim, context))
    if isinstance(table, Reply):
        return table
    ((cell,),) = table.rows
    if cell.value is None:
        return cannot_tell(f"{claim.expression} has no value: {cell.reason}")
    subject = f" for {claim.subject}" if claim.subject else ""
    evidence = f"{claim.expression} = {formatted(cell.value)}{subject}"
    if _is_met(claim, cell.value):
        return holds(evidence)
    return refuted(f"{evidence}, not {_claimed(claim)}")


def _is_met(claim: ValueClaim, value: Number) -> bool:
    if claim.equals is not None:
        return abs(value - claim.equals) <= claim.within
    above = claim.at_least is None or value >= claim.at_least
    return above and (claim.at_most is None or value <= claim.at_most)


def _claimed(claim: ValueClaim) -> str:
    if claim.equals is not None:
        tolerance = f" give or take {formatted(claim.within)}" if claim.within else ""
        return formatted(claim.equals) + tolerance
    bounds = (("at least", claim.at_least), ("at most", claim.at_most))
    return " and ".join(f"{word} {formatted(n)}" for word, n in bounds if n is not None)


def _job(claim: ValueClaim, context: ClaimContext) -> Job | Reply:
    return value_job(context, [claim.expression], [{}], claim.subject, claim.subjects)
