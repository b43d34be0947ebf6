"""The YAML of tickets: words and dates are text, keys are unique, anything else is an error with its line."""

from __future__ import annotations

import math

import pytest

from esper_audit.findings.errors import TicketError
from esper_audit.tickets.yaml_edit.load import TOO_DEEP, YamlValue, compose, value_of

MEANINGS: dict[str, YamlValue] = {
    "no": "no",
    "on": "on",
    "2026-05-04": "2026-05-04",
    "1:30": "1:30",
    "0x1F": "0x1F",
    "0017": "0017",
    "1_000": "1_000",
    "1e3": "1e3",
    "12": 12,
    "-3": -3,
    "1.5": 1.5,
    "1.0e-07": 1e-07,
    "-.inf": -math.inf,
    "true": True,
    "~": None,
    "": None,
    "'12'": "12",
    "!!str 12": "12",
    "[a, {b: c}]": ["a", {"b": "c"}],
}


@pytest.mark.parametrize(("written", "meaning"), MEANINGS.items())
def test_a_plain_value_has_its_type(written: str, meaning: YamlValue) -> None:
    assert value_of(compose(f"k: {written}\n")) == {"k": meaning}


WRONG = {
    "a key twice": ("a: 1\nb:\n  c: 1\n  c: 2\n", "4: c: duplicate key"),
    "a key that is a list": ("a: 1\n? [x]\n: 2\n", "2: invalid key (expected a word)"),
    "a tag of a program": ("a: !!python/name:os.system\n", "1: unsupported tag"),
    "two documents": ("a: 1\n---\nb: 2\n", "2: invalid YAML"),
    "a tab for indentation": ("a:\n\tb: 1\n", "2: invalid YAML"),
    "a character that YAML forbids": ("a: \x07\n", "1: invalid YAML"),
    "nested too deep": ("[" * 1_000 + "]" * 1_000, TOO_DEEP),
    "so deep that libyaml would end the process": ("[" * 300_000 + "]" * 300_000, TOO_DEEP),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=list(WRONG))
def test_invalid_content_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(TicketError) as caught:
        value_of(compose(text))
    assert str(caught.value).startswith(message)
