"""The claim `location`: the file, the symbol and its lines."""

from __future__ import annotations

import pytest
from support.claim_replies import reply

VALVE = """
LIMIT = 3

class Valve:
    def __init__(self):
        self.level = 0

    def open(self):
        return self.level


def close():
    return LIMIT
"""
FILES = {"src/valve.py": VALVE, "src/tank.py": "def fill():\n    pass\n"}
CASES = {
    "a file": ({}, "holds", "the file exists"),
    "a symbol": ({"symbol": "Valve.open"}, "holds", "src/valve.py:8-9"),
    "its lines": ({"symbol": "Valve.open", "lines": "9-30"}, "holds", "are lines of Valve.open"),
    "a method without its class": ({"symbol": "open", "lines": "8"}, "holds", "open"),
    "an attribute": ({"symbol": "Valve.level", "lines": "6"}, "holds", "Valve.level"),
    "a constant": ({"symbol": "LIMIT"}, "holds", "LIMIT"),
    "lines of the file": ({"lines": "1-2, 900"}, "holds", "are lines of"),
    "lines of another symbol": (
        {"symbol": "close", "lines": "8"},
        "stale",
        "has the lines 12-13, not 8",
    ),
    "lines behind the end": ({"lines": "900-910"}, "stale", "has the lines 1-13, not 900-910"),
    "a symbol of another file": (
        {"symbol": "fill"},
        "stale",
        "one of that name is at src/tank.py:1",
    ),
    "no such symbol": ({"symbol": "Valve.drain"}, "refuted", "defines no Valve.drain"),
    "no such file": ({"path": "lib/valve.py"}, "stale", "one of that name is src/valve.py"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_location_is_answered_by_file_symbol_and_lines(tmp_path, name: str) -> None:
    query, answer, evidence = CASES[name]
    result = reply(tmp_path, FILES, **{"kind": "location", "path": "src/valve.py", **query})
    assert (result.answer, evidence in result.evidence) == (answer, True), result.evidence


def test_a_class_that_may_inherit_the_symbol_is_not_decided(tmp_path) -> None:
    files = {"a.py": "class A(B):\n    pass\n"}
    result = reply(tmp_path, files, kind="location", path="a.py", symbol="A.run")
    assert result.answer == "cannot-tell"
