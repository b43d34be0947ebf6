"""The modules of a package of ours, found by looking into its folders; none is imported."""

from __future__ import annotations

import os

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def submodules(package: str) -> list[str]:
    """Return the dotted names of the modules in `package` and its sub-packages, sorted by their last part.

    A package without modules is a broken installation: AssertionError.
    """
    parent = os.path.dirname(PACKAGE)
    start = os.path.join(parent, *package.split("."))
    found = [
        os.path.relpath(os.path.join(folder, name), parent).removesuffix(".py").replace(os.sep, ".")
        for folder, _, names in os.walk(start)
        for name in names
        if name.endswith(".py") and name != "__init__.py"
    ]
    assert found, f"{start} holds no module"
    return sorted(found, key=last_part)


def last_part(module: str) -> str:
    """Return the last part of a dotted name."""
    return module.rpartition(".")[2]
