"""The folder that the modules of a folder are imported from, and the names that they have there."""

from __future__ import annotations

import os

INIT = "__init__.py"


def import_root(folder: str) -> str:
    """Return the folder from which the modules of a folder are imported: above its packages."""
    while os.path.isfile(os.path.join(folder, INIT)):
        folder = os.path.dirname(folder)
    return folder


def module_name(file: str, root: str) -> str:
    """Return the dotted name of a file that is imported from `root`."""
    relative = os.path.relpath(file, root).removesuffix(".py").replace(os.sep, ".")
    return relative.removesuffix(".__init__")
