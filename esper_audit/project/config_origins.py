"""The values of a configuration, each with its origin: a line of the file, or the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from esper_audit.project.config import Project, own_tables, place_in_config

DEFAULT = "default"


class ConfigValue(msgspec.Struct, frozen=True):
    """A key as it is written in the file, its value in force, and where that is from."""

    key: str
    value: object
    origin: str


def config_values(project: Project) -> list[ConfigValue]:
    """Return every value of a project's configuration, those of tables by dotted key."""
    files = (project.file, *project.bases) if project.file else ()
    layers = [(file, own_tables(file)) for file in files]
    return list(_values(msgspec.to_builtins(project.config), layers, ()))


def _values(
    values: Mapping[str, Any], layers: Sequence[tuple[str, Mapping[str, Any]]], above: Sequence[str]
) -> Iterator[ConfigValue]:
    """Yield the values below a key, each with the nearest file that writes it."""
    for key, value in values.items():
        path = (*above, key)
        present = [
            (file, {name.replace("_", "-"): table for name, table in written.items()})
            for file, written in layers
        ]
        written = [(file, table[key]) for file, table in present if key in table]
        if isinstance(value, dict) and value:
            below = [(file, table) for file, table in written if isinstance(table, dict)]
            yield from _values(value, below, path)
        else:
            origin = place_in_config(written[0][0], path) if written else DEFAULT
            yield ConfigValue(".".join(path), value, origin)
