"""Words as the readers compare them, and lists of names that mean the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

Meaning = TypeVar("Meaning")


def words(text: str) -> str:
    """Return the words of a text in lower case, a blank between them: what two spellings are compared by."""
    plain = text.lower().replace("'", "").replace("’", "")
    return " ".join(re.sub(r"[\W_]+", " ", plain).split())


def names(listed: str) -> frozenset[str]:
    """Return the names of a list with commas, as `words` gives them."""
    return frozenset(words(name) for name in listed.split(","))


def meanings(table: Mapping[Meaning, str]) -> dict[str, Meaning]:
    """Turn a table of meanings with their names round: what each name means."""
    return {name: meaning for meaning, listed in table.items() for name in names(listed)}
