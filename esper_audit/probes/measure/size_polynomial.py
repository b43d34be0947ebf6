"""The law of a parameter count: a polynomial of the width, found exactly and checked at other widths."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations

DEGREE = 2  # a layer maps width to width; nothing usual is cubic


def size_law(counts: Mapping[int, int]) -> str:
    """Return the law of counts by width, such as `9d^2 + 2d`, and the widths that break it.

    It is the quadratic through three of the widths that most of the others confirm; the largest
    widths are tried first, since floors such as `max(8, d // 4)` are felt at small ones.
    """
    widths = sorted(counts, reverse=True)
    best: tuple[list[int], list[Fraction]] = (widths, [])
    for chosen in combinations(widths, min(DEGREE + 1, len(widths))):
        law = _through([(width, counts[width]) for width in chosen])
        odd = [width for width in widths if _at(law, width) != counts[width]]
        if not best[1] or len(odd) < len(best[0]):
            best = odd, law
    odd, law = best
    if len(widths) - len(odd) <= len(law):
        return "no quadratic of the width"
    said = _written(law)
    return f"{said}, but not at {', '.join(map(str, sorted(odd)))}" if odd else said


def _through(points: list[tuple[int, int]]) -> list[Fraction]:
    """Return the coefficients, constant first, of the polynomial through points (Newton's form)."""
    xs, column = [Fraction(x) for x, _ in points], [Fraction(y) for _, y in points]
    differences = [column[0]]
    for order in range(1, len(points)):
        column = [
            (column[i + 1] - column[i]) / (xs[i + order] - xs[i]) for i in range(len(column) - 1)
        ]
        differences.append(column[0])
    law = [Fraction(0)]
    for difference, x in zip(reversed(differences), reversed(xs), strict=True):
        shifted = [Fraction(0), *law]
        law = [shifted[i] - x * (law[i] if i < len(law) else 0) for i in range(len(shifted))]
        law[0] += difference
    return law[: len(points)]


def _at(law: list[Fraction], x: int) -> Fraction:
    return sum((coefficient * x**power for power, coefficient in enumerate(law)), Fraction(0))


def _written(law: list[Fraction]) -> str:
    terms = []
    for power, coefficient in reversed(list(enumerate(law))):
        if coefficient:
            letter = ("", "d", f"d^{power}")[min(power, 2)]
            number = f"{coefficient}" if abs(coefficient) != 1 or not letter else ""
            number = "-" if coefficient == -1 and letter else number
            terms.append(f"{number}{letter}" if "/" not in number else f"({number}){letter}")
    return " + ".join(terms).replace("+ -", "- ") or "0"
