"""The entry points by which installed packages offer rules, probes and reporters."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def entry_points_of(group: str) -> list[EntryPoint]:
    """Return the entry points of a group, sorted by name, importing `importlib.metadata` only if there are any."""
    if not _is_offered(group, tuple(sys.path)):
        return []
    from importlib.metadata import entry_points

    return sorted(entry_points(group=group), key=lambda entry_point: entry_point.name)


@functools.cache
def _is_offered(group: str, directories: tuple[str, ...]) -> bool:
    """Return whether a package installed in one of the directories offers something of a group."""
    return any(_offers(directory, group) for directory in directories)


def _offers(directory: str, group: str) -> bool:
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return False
    packages = (name for name in names if name.endswith((".dist-info", ".egg-info")))
    return any(_names_group(os.path.join(directory, name), group) for name in packages)


def _names_group(package: str, group: str) -> bool:
    try:
        with open(os.path.join(package, "entry_points.txt"), "rb") as file:
            return f"[{group}]".encode() in file.read()
    except OSError:
        return False
