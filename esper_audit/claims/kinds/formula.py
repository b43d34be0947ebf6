"""The claim `formula`: two formulas agree over a range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Annotated

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.needs import Need
from esper_audit.claims.reply import Reply, Row, Text, cannot_tell, holds, refuted
from esper_audit.claims.subject_query import SubjectSource, job_of, read_formulas, table_of, written
from esper_audit.probes.formula import Cell, Number
from esper_audit.text.markdown import count

if TYPE_CHECKING:
    from esper_audit.claims.context import ClaimContext
    from esper_audit.probes.sandbox.outcome import Job

MOST_POINTS = 4096
MOST_ROWS = 12
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]\w*$")]


class Range(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}
):
    """The integers from `from` to `to`, both included, every `step`th."""

    first: int
    last: int
    step: Annotated[int, msgspec.Meta(ge=1)] = 1

    @property
    def values(self) -> Sequence[int]:
        """The integers themselves, not yet counted out."""
        return range(self.first, self.last + 1, self.step)


class FormulaClaim(Claim, frozen=True, kw_only=True, tag="formula"):
    """`left` and `right` agree, give or take `within`, at every point of `over`.

    A formula is integer or real arithmetic in the variables of `over`, with `min`, `max`, `abs` and,
    where a `subject` is named, its quantities (see the kind `value`), counted live: `parameters(dim)`.
    A variable takes one integer, some, or all `{from: 1, to: 64, step: 1}`.
    """

    left: Text
    right: Text
    over: dict[Name, int | list[int] | Range]
    within: Number = 0
    subject: str = ""
    subjects: SubjectSource = ""

    def __post_init__(self) -> None:
        """Refuse formulas that cannot be read, and a range of no points or far too many."""
        texts = {"left": self.left, "right": self.right}
        told, why = read_formulas(texts, self.over, self.subject)
        self.require(told=told, wanted=why)
        number = prod(len(values) for values in self._axes().values())
        wanted = f"`over` spans {count(number, 'point')}, wanted 1 to {MOST_POINTS:,}"
        self.require(told=1 <= number <= MOST_POINTS, wanted=wanted)

    def needs(self, context: ClaimContext) -> Iterable[Need]:
        """Wish for the values."""
        job = self._job(context)
        return () if isinstance(job, Reply) else (job,)

    def answer(self, context: ClaimContext) -> Reply:
        """Compare point by point; a refutation comes with the table of differences."""
        table = table_of(context, self._job(context))
        if isinstance(table, Reply):
            return table
        points = self._points()
        differing, untold = [], ""
        for point, (left, right) in zip(points, table.rows, strict=True):
            if left.value is None and right.value is None:
                untold = untold or f"no value at {_at(point)}: {left.reason}"
            elif not self._agree(left, right):
                differing.append((*point.values(), *_cells(left, right)))
        if differing:
            return self._refuted(differing, len(points))
        if untold:
            return cannot_tell(untold)
        return holds(f"they agree at {count(len(points), 'point')}: {self._span()}")

    def _agree(self, left: Cell, right: Cell) -> bool:
        if left.value is None or right.value is None:
            return False
        return abs(left.value - right.value) <= self.within

    def _refuted(self, differing: list[Row], points: int) -> Reply:
        heads: Row = (*self.over, "left", "right", "difference")
        first = differing[0]
        where = _at(dict(zip(self.over, first, strict=False)))
        versus = f"{first[-3]} against {first[-2]} at {where}"
        more = f"; the first {MOST_ROWS} are listed" if len(differing) > MOST_ROWS else ""
        said = f"they differ at {len(differing)} of {count(points, 'point')}: {versus}{more}"
        return refuted(said, table=[heads, *differing[:MOST_ROWS]])

    def _axes(self) -> dict[str, Sequence[int]]:
        return {name: _values(values) for name, values in self.over.items()}

    def _points(self) -> list[dict[str, Number]]:
        axes = self._axes()
        return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]

    def _span(self) -> str:
        axes = self._axes().items()
        return ", ".join(
            f"{name} {v[0]}" if len(v) == 1 else f"{name} {min(v)} to {max(v)}" for name, v in axes
        )

    def _job(self, context: ClaimContext) -> Job | Reply:
        formulas = [self.left, self.right]
        return job_of(context, formulas, self._points(), self.subject, self.subjects)


def _values(values: int | list[int] | Range) -> Sequence[int]:
    if isinstance(values, Range):
        return values.values
    return [values] if isinstance(values, int) else values


def _at(point: Mapping[str, object]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in point.items())


def _cells(left: Cell, right: Cell) -> Row:
    sides = [cell.reason if cell.value is None else written(cell.value) for cell in (left, right)]
    if left.value is None or right.value is None:
        return (*sides, "")
    return (*sides, f"{'+' if left.value > right.value else ''}{written(left.value - right.value)}")
