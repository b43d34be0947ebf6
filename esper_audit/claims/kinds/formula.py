"""Answers the claim `formula`: two formulas agree over a range."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from esper_audit.claims.context import ClaimContext
from esper_audit.claims.needs import Need
from esper_audit.claims.quantity_claims import FormulaClaim
from esper_audit.claims.reply import Reply, Row, cannot_tell, holds, refuted
from esper_audit.claims.subject_query import formatted, value_job, value_table
from esper_audit.probes.formula import Cell, Number
from esper_audit.probes.sandbox.outcome import Job
from esper_audit.text.markdown import count

MOST_ROWS = 12


def needs(claim: FormulaClaim, context: ClaimContext) -> tuple[Need, ...]:
    """Return the job that evaluates both formulas at every point."""
    job = _job(claim, context)
    return () if isinstance(job, Reply) else (job,)


def answer(claim: FormulaClaim, context: ClaimContext) -> Reply:
    """Compare the formulas point by point, with a table of differences if there are any."""
    table = value_table(context, _job(claim, context))
    if isinstance(table, Reply):
        return table
    points = _points(claim)
    differing: list[Row] = []
    unknown = ""
    for point, (left, right) in zip(points, table.rows, strict=True):
        if left.value is None and right.value is None:
            unknown = unknown or f"no value at {_at(point)}: {left.reason}"
        elif not _agree(claim, left, right):
            differing.append((*point.values(), *_cells(left, right)))
    if differing:
        return _refuted(claim, differing, len(points))
    if unknown:
        return cannot_tell(unknown)
    return holds(f"they agree at {count(len(points), 'point')}: {_span(claim)}")


def _agree(claim: FormulaClaim, left: Cell, right: Cell) -> bool:
    if left.value is None or right.value is None:
        return False
    return abs(left.value - right.value) <= claim.within


def _refuted(claim: FormulaClaim, differing: list[Row], points: int) -> Reply:
    heads: Row = (*claim.over, "left", "right", "difference")
    first = differing[0]
    point = _at(dict(zip(claim.over, first, strict=False)))
    versus = f"{first[-3]} against {first[-2]} at {point}"
    more = f"; the first {MOST_ROWS} are listed" if len(differing) > MOST_ROWS else ""
    evidence = f"they differ at {len(differing)} of {count(points, 'point')}: {versus}{more}"
    return refuted(evidence, table=[heads, *differing[:MOST_ROWS]])


def _points(claim: FormulaClaim) -> list[dict[str, Number]]:
    axes = claim.axes
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def _span(claim: FormulaClaim) -> str:
    axes = claim.axes.items()
    return ", ".join(
        f"{name} {v[0]}" if len(v) == 1 else f"{name} {min(v)} to {max(v)}" for name, v in axes
    )


def _job(claim: FormulaClaim, context: ClaimContext) -> Job | Reply:
    formulas = [claim.left, claim.right]
    return value_job(context, formulas, _points(claim), claim.subject, claim.subjects)


def _at(point: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in point.items())


def _cells(left: Cell, right: Cell) -> Row:
    sides = [cell.reason if cell.value is None else formatted(cell.value) for cell in (left, right)]
    if left.value is None or right.value is None:
        return (*sides, "")
    sign = "+" if left.value > right.value else ""
    return (*sides, f"{sign}{formatted(left.value - right.value)}")
