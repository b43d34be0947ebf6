"""Refusing what does not fit: missing and unknown keys, and numbers out of their range."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from esper_ref.errors import CheckpointKeyError, RulesError

if TYPE_CHECKING:
    from collections.abc import Iterable


def require_keys(where: str, found: Iterable[str], wanted: Iterable[str]) -> None:
    """Refuse a missing key and an unknown one alike: a default for either would be a guess."""
    there, needed = set(found), set(wanted)
    missing, unknown = sorted(needed - there), sorted(there - needed)
    if missing or unknown:
        raise CheckpointKeyError(
            f"{where}: missing keys {missing}, unknown keys {unknown}; "
            "it was not written by this version of the library, or is damaged"
        )


def require_count(name: str, value: object, least: int = 0) -> None:
    """Refuse a rule's `value` that is not a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise RulesError(f"{name}: got {value!r}, expected a whole number of at least {least}")


def require_number(
    name: str, value: object, least: float = -math.inf, most: float = math.inf
) -> None:
    """Refuse a rule's `value` that is not a finite number from `least` to `most`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and least <= value <= most):  # type: ignore[arg-type, operator]  # a number by the first condition
        raise RulesError(f"{name}: got {value!r}, expected a finite number from {least} to {most}")
