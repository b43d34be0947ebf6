"""Whether a file belongs to an installed package rather than to the project."""

from __future__ import annotations

import os

FOLDERS = frozenset({"site-packages", "dist-packages"})


def is_installed(path: str) -> bool:
    """Return whether a path leads through a folder of installed packages."""
    return not FOLDERS.isdisjoint(path.replace("/", os.sep).split(os.sep))
