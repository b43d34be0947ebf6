"""The parameter count as a polynomial of the width, by exact interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations

DEGREE = 2  # a layer maps width to width, so that counts are quadratic


def size_formula(counts: Mapping[int, int]) -> str:
    """Return the polynomial of counts by width, such as `9d^2 + 2d`, and the widths that deviate.

    It is the quadratic through three of the widths on which most of the others lie. The largest widths
    are tried first, since floors such as `max(8, d // 4)` affect small ones.
    """
    widths = sorted(counts, reverse=True)
    best: tuple[list[int], list[Fraction]] = (widths, [])
    for chosen in combinations(widths, min(DEGREE + 1, len(widths))):
        polynomial = _interpolate([(width, counts[width]) for width in chosen])
        odd = [width for width in widths if _evaluate(polynomial, width) != counts[width]]
        if not best[1] or len(odd) < len(best[0]):
            best = odd, polynomial
        if not odd:
            break
    odd, polynomial = best
    if len(widths) - len(odd) <= len(polynomial):
        return "no quadratic of the width"
    text = _polynomial_text(polynomial)
    return f"{text}, except at {', '.join(map(str, sorted(odd)))}" if odd else text


def _interpolate(points: list[tuple[int, int]]) -> list[Fraction]:
    """Return the coefficients, constant first, of the polynomial through points (Newton's form)."""
    xs, column = [Fraction(x) for x, _ in points], [Fraction(y) for _, y in points]
    differences = [column[0]]
    for order in range(1, len(points)):
        column = [
            (column[i + 1] - column[i]) / (xs[i + order] - xs[i]) for i in range(len(column) - 1)
        ]
        differences.append(column[0])
    coefficients = [Fraction(0)]
    for difference, x in zip(reversed(differences), reversed(xs), strict=True):
        shifted = [Fraction(0), *coefficients]
        coefficients = [*coefficients, Fraction(0)]
        coefficients = [s - x * c for s, c in zip(shifted, coefficients, strict=True)]
        coefficients[0] += difference
    return coefficients[: len(points)]


def _evaluate(coefficients: list[Fraction], x: int) -> Fraction:
    return sum(
        (coefficient * x**power for power, coefficient in enumerate(coefficients)), Fraction(0)
    )


def _polynomial_text(coefficients: list[Fraction]) -> str:
    terms = []
    for power, coefficient in reversed(list(enumerate(coefficients))):
        if coefficient:
            letter = ("", "d", f"d^{power}")[min(power, 2)]
            number = f"{coefficient}" if abs(coefficient) != 1 or not letter else ""
            number = "-" if coefficient == -1 and letter else number
            terms.append(f"{number}{letter}" if "/" not in number else f"({number}){letter}")
    return " + ".join(terms).replace("+ -", "- ") or "0"
