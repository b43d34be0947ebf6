"""The claims about numbers: the value of an expression, and the agreement of two formulas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Annotated

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.reply import Text
from esper_audit.probes.formula import Formula, NotAFormula, Number
from esper_audit.text.markdown import count

SubjectSource = Annotated[str, msgspec.Meta(pattern=r"^$|^[^\s:]+:\w+$")]
Variable = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]\w*$")]

QUANTITIES = frozenset({"parameters", "trainable", "buffers", "estimate", "ratio", "average"})
MOST_POINTS = 4096


class ValueClaim(Claim, frozen=True, kw_only=True, tag="value"):
    """The expression `equals` a number, within a tolerance, or lies between `at_least` and `at_most`.

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
        """Refuse an expression that is no formula, and a claim that has both or none of the bounds."""
        problem = _formula_problem({"expression": self.expression}, (), self.subject)
        self.require(is_met=not problem, requirement=problem)
        bounded = self.at_least is not None or self.at_most is not None
        requirement = "either `equals`, or `at_least` and `at_most` or one of them"
        self.require(is_met=bounded != (self.equals is not None), requirement=requirement)
        self.require(is_met=self.within >= 0, requirement="`within` is at least 0")


class Range(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}
):
    """The integers from `from` to `to`, both included, every `step`th."""

    first: int
    last: int
    step: Annotated[int, msgspec.Meta(ge=1)] = 1

    @property
    def values(self) -> Sequence[int]:
        """The integers, as a range."""
        return range(self.first, self.last + 1, self.step)


class FormulaClaim(Claim, frozen=True, kw_only=True, tag="formula"):
    """`left` and `right` agree, within a tolerance, at every point of `over`.

    A formula is integer or real arithmetic in the variables of `over`, with `min`, `max`, `abs` and,
    where a `subject` is named, its quantities (see the kind `value`), counted live: `parameters(dim)`.
    A variable takes one integer, several, or a range `{from: 1, to: 64, step: 1}`.
    """

    left: Text
    right: Text
    over: dict[Variable, int | list[int] | Range]
    within: Number = 0
    subject: str = ""
    subjects: SubjectSource = ""

    @property
    def axes(self) -> dict[str, Sequence[int]]:
        """The values of each variable."""
        return {name: _axis(values) for name, values in self.over.items()}

    def __post_init__(self) -> None:
        """Refuse texts that are no formulas, and a range of no points or of too many."""
        texts = {"left": self.left, "right": self.right}
        problem = _formula_problem(texts, self.over, self.subject)
        self.require(is_met=not problem, requirement=problem)
        number = prod(len(values) for values in self.axes.values())
        requirement = f"`over` spans {count(number, 'point')}, expected 1 to {MOST_POINTS:,}"
        self.require(is_met=1 <= number <= MOST_POINTS, requirement=requirement)


def _axis(values: int | list[int] | Range) -> Sequence[int]:
    if isinstance(values, Range):
        return values.values
    return [values] if isinstance(values, int) else values


def _formula_problem(texts: Mapping[str, str], names: Iterable[str], subject: str) -> str:
    """Return why one of the formulas, by their keys, cannot be evaluated, empty if all can."""
    for key, text in texts.items():
        try:
            formula = Formula(text, set(names), QUANTITIES)
        except (NotAFormula, ValueError) as error:
            return f"`{key}`: {error}"
        if formula.quantities_used and not subject:
            return f"`{key}` uses {min(formula.quantities_used)} without a `subject`"
    return ""
