"""The directories in which a configuration file is searched."""

from __future__ import annotations

import os
from collections.abc import Iterable


def upwards(directory: str) -> Iterable[str]:
    """Yield a directory and its parents, the nearest first."""
    yield directory
    while (parent := os.path.dirname(directory)) != directory:
        directory = parent
        yield directory


def common_directory(paths: list[str]) -> str:
    """Return the deepest directory above all paths (absolute), the current one without paths."""
    if not paths:
        return os.getcwd()
    common = os.path.commonpath(paths)
    return common if os.path.isdir(common) else os.path.dirname(common)


def default_root(above: str) -> str:
    """Return the root of a tree without configuration: the current directory if it is above the paths."""
    here = os.getcwd()
    return here if above == here or above.startswith(here.rstrip(os.sep) + os.sep) else above
