"""The values of a configuration, each with its origin: a line of the file, or the default."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from esper_audit.project.config import PROJECT_FILE, TABLE, Project, place_in_config
from esper_audit.project.toml_file import read_toml

DEFAULT = "default"


class ConfigValue(msgspec.Struct, frozen=True):
    """A key as it is written in the file, its value in force, and where that is from."""

    key: str
    value: object
    origin: str


def config_values(project: Project) -> list[ConfigValue]:
    """Return every value of a project's configuration, those of tables by dotted key."""
    written = _tables(project.file)
    return list(_values(project, msgspec.to_builtins(project.config), written, ()))


def _values(
    project: Project, values: Mapping[str, Any], written: Mapping[str, Any], above: Sequence[str]
) -> Iterator[ConfigValue]:
    for key, value in values.items():
        path = (*above, key)
        present = {name.replace("_", "-"): table for name, table in written.items()}
        below = present.get(key)
        if isinstance(value, dict) and value:
            yield from _values(project, value, below if isinstance(below, dict) else {}, path)
        else:
            origin = place_in_config(project.file, path) if key in present else DEFAULT
            yield ConfigValue(".".join(path), value, origin)


def _tables(file: str) -> Mapping[str, Any]:
    if not file:
        return {}
    tables = read_toml(file)
    if os.path.basename(file) != PROJECT_FILE:
        return tables
    own: Mapping[str, Any] = tables["tool"][TABLE]
    return own
