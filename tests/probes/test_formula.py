"""Formulas that people write: what they mean, and all that they may not hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esper_audit.probes.formula import Formula, NotAFormula, NoValue


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * dim * (dim // 4) + dim", 2112),
        ("-dim // 4", -16),
        ("dim % 10 - +1", 3),
        ("max(8, dim // 16) + min(1, 2, 3) + abs(-2)", 11),
        ("dim ** 0.5 / 2", 4.0),
        ("1_000 + 0x10", 1016),
    ],
)
def test_arithmetic_is_that_of_python(text: str, value: float) -> None:
    assert Formula(text, {"dim"}).at({"dim": 64}) == value


TERMS = st.recursive(
    st.sampled_from(["a", "b", "3", "0", "7"]),
    lambda inner: st.builds(
        "({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "//", "%", "/"]), inner
    ),
    max_leaves=8,
)


@given(TERMS, st.integers(-50, 50), st.integers(-50, 50))
def test_it_agrees_with_python_wherever_python_has_a_value(text: str, a: int, b: int) -> None:
    try:
        expected = eval(text, {}, {"a": a, "b": b})
    except ZeroDivisionError:
        with pytest.raises(NoValue, match="division by zero"):
            Formula(text, {"a", "b"}).at({"a": a, "b": b})
    else:
        assert Formula(text, {"a", "b"}).at({"a": a, "b": b}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "width", "__import__('os')", "dim.bit_length()", "(lambda: 1)()", "[dim][0]", "dim if dim else 1",
        "dim and 1", "dim < 3", "'a' * dim", "True", "dim << 3", "~dim", "min(*[1, 2])", "max(dim)",
        "open(1)", "min(1, 2, key=abs)", "2 * dim +", "dim = 3", "dim; dim", "", "1j", "(dim := 3)", "f'{dim}'",
        "\0", "None", "abs()",
    ],
)  # fmt: skip
def test_what_is_no_arithmetic_in_declared_names_is_refused(text: str) -> None:
    with pytest.raises(NotAFormula):
        Formula(text, {"dim"})


@pytest.mark.parametrize(
    "text",
    [
        "9 ** 9 ** 9",
        "2 ** 64",
        "dim ** dim ** dim",
        "9e307 * 10",
        "10 ** 400.0",
        "-1 ** 0.5 * (-1) ** 0.5",
        "1 / 0",
        "1 % 0",
    ],
)
def test_what_has_no_bounded_value_has_none_and_takes_no_time(text: str) -> None:
    with pytest.raises(NoValue):
        Formula(text, {"dim"}).at({"dim": 64})


@pytest.mark.parametrize(
    "text",
    ["(" * 3000 + "1" + ")" * 3000, "-" * 900 + "1", "+".join("1" * 400), "1" * 990],
    ids=["parentheses", "signs", "terms", "digits"],
)
def test_a_monster_is_refused_and_ends_nothing(text: str) -> None:
    with pytest.raises((NotAFormula, NoValue)):
        Formula(text, set())
