"""Conditions that exclude each other."""

from __future__ import annotations

from collections.abc import Collection

Condition = tuple[str, bool]
QUOTES = ("'", '"')


def are_exclusive(some: Collection[Condition], others: Collection[Condition]) -> bool:
    """Return whether two sets of conditions, as text with their truth, cannot hold together.

    One is the negation of another, or one name equals two different texts.
    """
    if any((test, not truth) in others for test, truth in some):
        return True
    equal, required = _equalities(some), _equalities(others)
    return any(equal[name] != required[name] for name in equal.keys() & required.keys())


def _equalities(conditions: Collection[Condition]) -> dict[str, str]:
    """Return the text that each name is equal to."""
    pairs = (test.partition(" == ") for test, truth in conditions if truth)
    return {name: text for name, _, text in pairs if text.startswith(QUOTES)}
