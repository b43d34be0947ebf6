"""Which attribute a statement assigns."""

from __future__ import annotations

import ast

import pytest

from esper_audit.source.idioms.classes.attribute_use import assigned_attribute

ASSIGNED = {
    "self.a = 1": "a",
    "self.a: int = 1": "a",
    "self.a: int": None,
    "self.a = self.b = 1": None,
    "self.a, self.b = 1, 2": None,
    "self.a.b = 1": None,
    "self.a[0] = 1": None,
    "self.a += 1": None,
    "a = 1": None,
    "f(self.a)": None,
}


@pytest.mark.parametrize(("code", "name"), ASSIGNED.items(), ids=ASSIGNED)
def test_a_value_of_its_own_is_assigned_to_one_attribute_of_a_name(
    code: str, name: str | None
) -> None:
    found = assigned_attribute(ast.parse(code).body[0])
    assert (found.attr if found is not None else None) == name
