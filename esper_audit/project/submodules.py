"""Listing the modules of a package of this project without importing them."""

from __future__ import annotations

import os

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def submodules(package: str, parent: str = os.path.dirname(PACKAGE)) -> list[str]:
    """Return the dotted names of the modules in a package and its sub-packages, sorted by their last part.

    `package` is a dotted name below the folder `parent`. Raises AssertionError for a package without
    modules, which is a broken installation.
    """
    start = os.path.join(parent, *package.split("."))
    found = [
        os.path.relpath(os.path.join(folder, name), parent).removesuffix(".py").replace(os.sep, ".")
        for folder, _, names in os.walk(start)
        for name in names
        if name.endswith(".py") and name != "__init__.py"
    ]
    assert found, f"{start}: no module (the installation is incomplete)"
    return sorted(found, key=last_part)


def last_part(module: str) -> str:
    """Return the last part of a dotted name."""
    return module.rpartition(".")[2]
