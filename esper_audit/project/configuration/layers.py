"""A configuration file and those that it extends, and their tables as those of one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from esper_audit.findings.errors import ConfigError

Tables = Mapping[str, Any]
# Whether the entries of the base come first.
LISTS_ADDED = {"per-path": True, "allow": False, "expect": False}
PATHS_OF_FILES = ("local-rules", "contracts", "templates")


def extended_tables(file: str, read: Callable[[str], Tables]) -> list[tuple[str, Tables]]:
    """Return a configuration file and those that it extends, the nearest first, each with its tables.

    Raises ConfigError for a file that extends itself and for one that is missing.
    """
    layers: list[tuple[str, Tables]] = []
    while True:
        tables = read(file)
        layers.append((file, tables))
        base = tables.get("extend")
        if not base or not isinstance(base, str):
            return layers
        target = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(file)), base))
        if any(os.path.samefile(target, known) for known, _ in layers if os.path.exists(target)):
            raise ConfigError(
                f"{file}: extend: a configuration cannot extend itself (got '{base}')"
            )
        if not os.path.isfile(target):
            raise ConfigError(f"{file}: extend: no such file (got '{base}')")
        file = target


def merged_tables(layers: Sequence[tuple[str, Tables]]) -> dict[str, Any]:
    """Return the tables of all layers as those of the nearest file."""
    file, nearest = layers[0]
    merged: dict[str, Any] = dict(nearest)
    for base_file, tables in layers[1:]:
        base = _moved(tables, base_file, file)
        for key, value in base.items():
            merged[key] = _combined(key, merged[key], value) if key in merged else value
    return merged


def _combined(key: str, own: Any, base: Any) -> Any:
    if isinstance(own, dict) and isinstance(base, dict):
        return {**base, **{k: _combined(k, v, base[k]) if k in base else v for k, v in own.items()}}
    if key in LISTS_ADDED:
        return [*base, *own] if LISTS_ADDED[key] else [*own, *base]
    return own


def _moved(tables: Tables, base_file: str, file: str) -> dict[str, Any]:
    """Return the tables of a base with the paths of its own files relative to the nearest file."""
    folder = os.path.relpath(
        os.path.dirname(os.path.abspath(base_file)), os.path.dirname(os.path.abspath(file))
    )
    moved = {key: value for key, value in tables.items() if key != "extend"}
    for key in PATHS_OF_FILES:
        value = moved.get(key)
        if isinstance(value, list):
            moved[key] = [os.path.join(folder, str(one)) for one in value]
        elif value:
            moved[key] = os.path.join(folder, str(value))
    return moved
