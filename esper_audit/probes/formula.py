"""Formulas of claims: integer and real arithmetic in declared names.

A formula is parsed with `ast` and evaluated by a table of operators. Attributes, and names and calls that
are not declared, are refused. The size of a formula and of its values is bounded.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Collection, Mapping

import msgspec

Number = int | float
Quantity = Callable[[str, tuple[Number, ...]], Number]
MOST_CHARACTERS = 1000
MOST_NODES = 200  # bounds the depth as well
MOST_BITS = 63  # the largest integer that msgpack and JSON readers hold
OPERATORS: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: lambda base, exponent: _power(base, exponent),
}
SIGNS: dict[type[ast.unaryop], Callable[[Number], Number]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
FUNCTIONS: dict[str, Callable[..., Number]] = {"min": min, "max": max, "abs": abs}


class NotAFormula(ValueError):
    """A text is not a formula in the declared names."""


class NoValue(ValueError):
    """A formula has no value at a point."""


def refuse_quantity(name: str, arguments: tuple[Number, ...]) -> Number:
    """Raise NoValue for every quantity of a formula that has no subject."""
    raise NoValue(f"{name} needs a subject")


class Formula:
    """A parsed formula.

    The constructor raises NotAFormula for anything but declared arithmetic.
    """

    def __init__(self, text: str, names: Collection[str], quantities: Collection[str] = ()) -> None:
        self.text = text
        self._body = _parsed(text)
        self._names = frozenset(names)
        self._quantities = frozenset(quantities)
        self.quantities_used: set[str] = set()
        self._check(self._body)

    def at(self, point: Mapping[str, Number], quantity: Quantity = refuse_quantity) -> Number:
        """Return the value at a point.

        Raise NoValue if the formula has none there.
        """
        try:
            return self._value(self._body, point, quantity)
        except ZeroDivisionError as error:
            raise NoValue("division by zero") from error
        except OverflowError as error:
            raise NoValue("too large") from error

    def _check(self, node: ast.expr) -> None:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if isinstance(value, int) and value >= 2**MOST_BITS:
                    raise NotAFormula(f"{value} is too large (expected less than 2**{MOST_BITS})")
            case ast.Name(id=name):
                if name not in self._names:
                    raise NotAFormula(f"unknown variable `{name}` ({_declared(self._names)})")
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
                self._check(left)
                self._check(right)
            case ast.UnaryOp(op=sign_of, operand=operand) if type(sign_of) in SIGNS:
                self._check(operand)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                self._check_call(name, arguments)
            case _:
                raise NotAFormula(f"`{ast.unparse(node)}` is not arithmetic")

    def _check_call(self, name: str, arguments: list[ast.expr]) -> None:
        if name not in FUNCTIONS and name not in self._quantities:
            known = ", ".join(sorted({*FUNCTIONS, *self._quantities}))
            raise NotAFormula(f"unknown function `{name}` (functions: {known})")
        if name in FUNCTIONS and len(arguments) < (1 if name == "abs" else 2):
            raise NotAFormula(f"`{name}` has too few arguments (got {len(arguments)})")
        self.quantities_used |= {name} - set(FUNCTIONS)
        for argument in arguments:
            self._check(argument)

    def _value(self, node: ast.expr, point: Mapping[str, Number], quantity: Quantity) -> Number:
        match node:
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.Name(id=name):
                return point[name]
            case ast.BinOp(left=left, op=sign, right=right):
                sides = (self._value(left, point, quantity), self._value(right, point, quantity))
                return _check_bounds(OPERATORS[type(sign)](*sides))
            case ast.UnaryOp(op=sign_of, operand=operand):
                return SIGNS[type(sign_of)](self._value(operand, point, quantity))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                values = tuple(self._value(argument, point, quantity) for argument in arguments)
                return _check_bounds(
                    FUNCTIONS[name](*values) if name in FUNCTIONS else quantity(name, values)
                )
        raise AssertionError(f"{ast.dump(node)} passed the check")


class Cell(msgspec.Struct, frozen=True):
    """The value of a formula at a point, or the reason why it has none."""

    value: Number | None = None
    reason: str = ""


def tabulate_formulas(
    formulas: list[Formula], points: list[dict[str, Number]], quantity: Quantity = refuse_quantity
) -> list[list[Cell]]:
    """Return the value of each formula at each point, one row for each point."""
    return [[_cell(formula, point, quantity) for formula in formulas] for point in points]


def _cell(formula: Formula, point: dict[str, Number], quantity: Quantity) -> Cell:
    try:
        return Cell(formula.at(point, quantity))
    except NoValue as error:
        return Cell(reason=str(error))


def _parsed(text: str) -> ast.expr:
    if len(text) > MOST_CHARACTERS:
        raise NotAFormula(
            f"too long (got {len(text)} characters, expected at most {MOST_CHARACTERS})"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotAFormula(f"does not parse: {error}") from error
    if sum(1 for _ in ast.walk(body)) > MOST_NODES:
        raise NotAFormula(f"too complex (expected at most {MOST_NODES} syntax nodes)")
    return body


def _declared(names: Collection[str]) -> str:
    return f"declared: {', '.join(sorted(names)) or 'none'}"


def _check_bounds(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise NoValue("too large")
    if isinstance(value, complex) or not math.isfinite(value):
        raise NoValue("not a finite real number")
    return value


def _power(base: Number, exponent: Number) -> Number:
    """Return a power.

    Raise NoValue instead of computing a huge integer.
    """
    if (
        isinstance(base, int)
        and isinstance(exponent, int)
        and abs(base) > 1
        and exponent > MOST_BITS
    ):
        raise NoValue("too large")
    result: Number = base**exponent
    return result
