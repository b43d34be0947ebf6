"""Args sections are parsed entry by entry, and other lines are not taken for entries."""

from __future__ import annotations

import pytest

from esper_audit.source.idioms.docstrings.docstring_sections import documented_arguments
from esper_audit.source.idioms.docstrings.docstring_statements import stated_defaults


def names(docstring: str) -> tuple[list[str], bool]:
    arguments = documented_arguments(docstring)
    return [entry.name for entry in arguments.entries], arguments.is_complete


GOOGLE = "F.\n\n    Args:\n{}\n\n    Returns:\n        x: no argument.\n    "


@pytest.mark.parametrize(
    ("section", "found", "is_complete"),
    [
        ("        a: left\n            and: more\n        b (int, optional): right", "ab", True),
        ("        a (Callable[(int), str]): left\n\n        b - right\n        c = 3", "abc", True),
        ("        `a` (`int`): left\n        - b: right\n        **c**: x", "abc", True),
        (
            "        *a: left\n        **b: right\n        c, d: both\n        e / f: x",
            "abcdef",
            True,
        ),
        ("        a (int,\n            str): left", "a", True),
        ("        a: left\n        Note: not a name\n        default: 3", "a", False),
        ("        a: left\n        Whatever is said here is prose.", "a", False),
        ("    a: at the depth of its title", "", False),
    ],
)
def test_google_sections_are_parsed(section: str, found: str, is_complete: bool) -> None:
    assert names(GOOGLE.format(section)) == (list(found), is_complete)


def test_a_numpy_section_ends_at_the_next_title() -> None:
    text = (
        "F.\n\n    Parameters\n    ----------\n    a, b : int\n        both: x\n    c\n\n"
        "    Returns\n    -------\n    d : int\n    "
    )
    assert names(text) == (["a", "b", "c"], True)


def test_the_text_of_a_sphinx_field_ends_at_the_next_field() -> None:
    text = (
        "F.\n\n    :param int a: left\n        and more\n    :type a: int\n"
        "    :param b: right, default: 3\n    :returns: c\n    "
    )
    arguments = documented_arguments(text)
    assert [(e.name, e.text) for e in arguments.entries] == [
        ("a", "int  left and more"),
        ("b", " right, default: 3"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Reads this:\n\n    Args:\n        a: x\n    ",
        "F.\n\n    Modes:\n        Args:\n            a: x\n    ",
        "F has Args: a, b\n    ",
    ],
)
def test_a_section_inside_an_example_is_ignored(text: str) -> None:
    assert names(text)[0] == []


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("x, defaults to 0.1.", ["0.1"]),
        ("x (default: `None`)", ["None"]),
        ("x. Default is 'mean'", ["'mean'"]),
        ("x. default = -1e-3, y", ["-1e-3"]),
        ("x. Default value: (1, 2)", ["(1, 2)"]),
        ("x, defaults to 0.1 if y", []),
        ("x, defaults to 3 times y", []),
        ("x (default: 3) unless y", []),
        ("x, defaults to half of y", []),
        ("x, which defaults to 3", []),
        ("kinds:\n - a (default: 3)", []),
    ],
)
def test_stated_defaults_are_found(text: str, stated: list[str]) -> None:
    assert [words for words, _ in stated_defaults(text)] == stated
