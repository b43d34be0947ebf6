"""Refusing what does not fit: missing and unknown keys, and numbers out of their range."""

from __future__ import annotations

import math
import reprlib
from typing import TYPE_CHECKING, TypeVar

from esper_ref.errors import CheckpointError, CheckpointKeyError, CheckpointValueError, RulesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Value = TypeVar("Value")


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


def read(where: str, d: Mapping[str, object], key: str, parse: Callable[[object], Value]) -> Value:
    """Return `parse(d[key])`. A value that `parse` refuses is a `CheckpointValueError`."""
    try:
        return parse(d[key])
    except CheckpointError:  # of a key further down, which has its own name
        raise
    except (TypeError, ValueError) as error:
        raise CheckpointValueError(
            f"{where}: wrong value of key {key!r} (got {reprlib.repr(d[key])}): {error}. "
            "The checkpoint is damaged; use an earlier one."
        ) from error


def whole(value: object) -> int:
    """Return a whole number of at least 0, or raise ValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("expected a whole number of at least 0")
    return value


def number(value: object) -> float:
    """Return a number, which may be NaN or infinite, or raise ValueError."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("expected a number")
    return value


def share(value: object) -> float:
    """Return a number in [0, 1], or raise ValueError."""
    found = number(value)
    if not 0.0 <= found <= 1.0:
        raise ValueError("expected a number in [0, 1]")
    return found


def percentage(value: object) -> float:
    """Return a number in [0, 100], or raise ValueError."""
    found = number(value)
    if not 0.0 <= found <= 100.0:
        raise ValueError("expected a percentage in [0, 100]")
    return found


def text(value: object) -> str:
    """Return a string, or raise TypeError."""
    if not isinstance(value, str):
        raise TypeError("expected a text")
    return value


def flag(value: object) -> bool:
    """Return True or False, or raise TypeError."""
    if not isinstance(value, bool):
        raise TypeError("expected True or False")
    return value


def mapping(value: object) -> dict[str, object]:
    """Return a dictionary, or raise TypeError."""
    if not isinstance(value, dict):
        raise TypeError("expected a dictionary")
    return value


def optional(parse: Callable[[object], Value]) -> Callable[[object], Value | None]:
    """Return a parser that also takes None."""
    return lambda value: None if value is None else parse(value)


def list_of(parse: Callable[[object], Value]) -> Callable[[object], list[Value]]:
    """Return a parser of a list whose items `parse` takes."""

    def parse_list(value: object) -> list[Value]:
        if not isinstance(value, list):
            raise TypeError("expected a list")
        return [parse(item) for item in value]

    return parse_list
