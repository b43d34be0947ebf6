"""TOML files: reading them, and the lines of keys, which the standard library does not report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from esper_audit.findings.errors import ConfigError, reason_of

Key: TypeAlias = "str | int"
POSITION = re.compile(r" \(at line (\d+), column (\d+)\)$")  # in a message of tomllib


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a text.

    Raises ValueError or RecursionError where it is no TOML.
    """
    import tomllib  # imported here: it compiles expressions, and many checks read no TOML

    return tomllib.loads(text)


def read_toml(file: str) -> dict[str, Any]:
    """Return the tables of a file.

    Raises ConfigError with the line of what is wrong.
    """
    try:
        with open(file, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {reason_of(error)}") from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: invalid TOML: not UTF-8: {error.reason}") from error
    try:
        return parse_toml(text)
    except (ValueError, RecursionError) as error:  # also an integer of thousands of digits
        is_deep = isinstance(error, RecursionError)
        problem = "lists or tables are nested too deep" if is_deep else str(error).partition(";")[0]
        line, reason = _located_problem(text, problem)
        raise ConfigError(f"{file}:{line}: invalid TOML: {reason}") from error


def _located_problem(text: str, problem: str) -> tuple[int, str]:
    """Return the line of a message of tomllib and its text without the line."""
    position = POSITION.search(problem)
    if position is None:
        return first_invalid_line(text), problem
    return int(position[1]), POSITION.sub(r" (column \2)", problem)


def line_of_key(text: str, path: Sequence[Key]) -> int:
    """Return the line of the statement that sets a key, or its nearest parent, 0 if there is none.

    `-` and `_` in keys are equal. A number in `path` is a position in a list.
    """
    deepest, found = 0, 0
    for line, tables in _statements(text):
        depth = _known_depth(tables, path)
        if depth > deepest:
            deepest, found = depth, line
    return found


def first_invalid_line(text: str) -> int:
    """Return the line of the first statement that does not parse."""
    return max((line + 1 for line in _parsed_lines(text)), default=1)


def _statements(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the first line of every statement and the tables of the text up to its end."""
    lines = text.split("\n")
    first = 0
    for number, line in enumerate(lines, 1):
        is_between = not first and (not line.strip() or line.lstrip().startswith("#"))
        first = first or number
        tables = None if is_between else _tables(lines[:number])
        if tables is not None:
            yield first, tables
        if is_between or tables is not None:
            first = 0


def _parsed_lines(text: str) -> Iterator[int]:
    lines = text.split("\n")
    return (number for number in range(1, len(lines)) if _tables(lines[:number]) is not None)


def _tables(lines: Sequence[str]) -> dict[str, Any] | None:
    """Return the tables of a beginning of a text, None within a statement."""
    try:
        return parse_toml("\n".join(lines))
    except (ValueError, RecursionError):
        return None


def _known_depth(tables: object, path: Sequence[Key]) -> int:
    """Return how many steps of a path exist."""
    value = tables
    for depth, step in enumerate(path):
        if isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        elif isinstance(value, dict) and (name := _named(value, str(step))) is not None:
            value = value[name]
        else:
            return depth
    return len(path)


def _named(table: dict[str, Any], name: str) -> str | None:
    return next((key for key in table if key.replace("-", "_") == name.replace("-", "_")), None)
