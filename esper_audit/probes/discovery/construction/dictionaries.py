"""Dictionaries for a constructor: tables of the package, or guesses by the names of entries."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from esper_audit.probes.discovery.construction.argument_use import keys_read
from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.recipes.values import Arguments, TupleSpec, Value

KEY = re.compile(r"^['\"]([\w.\- ]+)['\"]$")
NOT_A_MAPPING = re.compile(
    r"'(?:int|float|NoneType|str)' object is not subscriptable|indices must be integers"
    r"|'(?:int|float|NoneType|list|str)' object has no attribute '(?:get|keys|items|values|pop)'"
)
PLAIN = (bool, int, float, str, type(None))
MOST_TABLES = 2
MOST_GUESSES = 3
DEEPEST = 3
Guesses = Callable[[str], Sequence[Value]]


def with_entries(
    kind: type, names: Iterable[str], arguments: Arguments, failure: TrialFailure, guesses: Guesses
) -> Iterator[Arguments]:
    """Yield the arguments with a dictionary where the constructor reads entries, or with the entry that one lacks.

    `names` are the parameters of the class.
    """
    if NOT_A_MAPPING.search(failure.message):
        for name in names:
            keys = keys_read(kind, name) if not _is_filled(arguments.kwargs.get(name)) else ()
            if keys:
                yield arguments.with_value(name, {key: guesses(key)[0] for key in keys})
    lacking = KEY.match(failure.message) if failure.type == "KeyError" else None
    for key, value in arguments.kwargs.items():
        if not isinstance(value, dict):
            continue
        keys = keys_read(kind, str(key)) if lacking and lacking[1] not in value else []
        if lacking and lacking[1] in keys:
            guessed = {one: guesses(one)[0] for one in keys if one not in value}
            yield arguments.with_value(str(key), {**value, **guessed})
        for other in _completed(kind, value, lacking[1], guesses) if lacking else ():
            yield arguments.with_value(str(key), other)
        for entry in filter(value.__contains__, dict.fromkeys(failure.names)):
            for guess in guesses(entry)[:MOST_GUESSES]:
                yield arguments.with_value(str(key), {**value, entry: guess})


def _is_filled(value: Value) -> bool:
    """Return whether a value is a dictionary with entries."""
    return isinstance(value, dict) and bool(value)


def _completed(
    kind: type, value: dict[str, Value], lacking: str, guesses: Guesses
) -> Iterator[dict[str, Value]]:
    """Yield a dictionary with the entry that it lacks, also inside it, those of tables of the package first."""
    if lacking not in value:
        package = kind.__module__.partition(".")[0]
        tables = [one for one in _tables(package) if lacking in one and value.keys() <= one.keys()]
        yield from tables[:MOST_TABLES]
        yield from ({**value, lacking: guess} for guess in guesses(lacking)[:1])
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from ({**value, name: one} for one in _completed(kind, inner, lacking, guesses))


@cache
def _tables(package: str) -> list[dict[str, Value]]:
    """Return the dictionaries of plain values by text that the modules of a package hold, also inside others."""
    modules = [m for n, m in sys.modules.items() if n.partition(".")[0] == package and m]
    found: list[dict[str, Value]] = []
    for module in modules:
        for name, value in [*vars(module).items()]:
            if isinstance(value, dict) and not name.startswith("__"):
                found += [table for table in _plain_tables(value, 0) if table not in found]
    return found


def _plain_tables(value: Mapping[Any, Any], depth: int) -> Iterator[dict[str, Value]]:
    """Yield a dictionary, and those in it, that hold plain values only."""
    if value and all(isinstance(key, str) for key in value):
        plain = {key: _plain(item) for key, item in value.items()}
        if ... not in plain.values():
            yield plain
    for item in value.values() if depth < DEEPEST else ():
        if isinstance(item, dict):
            yield from _plain_tables(item, depth + 1)


def _plain(value: Any) -> Any:
    """Return a value as that of a recipe, an ellipsis for what is no plain data."""
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        made = items if isinstance(value, list) else TupleSpec(tuple(items))
        return ... if ... in items else made
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        entries = {key: _plain(item) for key, item in value.items()}
        return ... if ... in entries.values() else entries
    return ...
