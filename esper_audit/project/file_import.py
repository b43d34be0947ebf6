"""Importing a Python file by its path."""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType

from esper_audit.project.engine_fingerprint import content_digest


def import_file(path: str) -> ModuleType:
    """Return the module of a file, imported once per process.

    Its folder comes first in the search path.

    Raises FileNotFoundError without such a file, and any error of the file itself.
    """
    absolute = os.path.abspath(path)
    name = _module_name(absolute)
    if name in sys.modules:
        return sys.modules[name]
    if not os.path.isfile(absolute):
        raise FileNotFoundError(f"{path}: no such Python file")
    specification = importlib.util.spec_from_file_location(name, absolute)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path}: no loader for this kind of file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and msgspec resolve annotations there
    folder = os.path.dirname(absolute)
    sys.path.insert(0, folder)
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(folder)
    return module


def _module_name(absolute: str) -> str:
    """Return a module name that is unique for the absolute path."""
    stem = os.path.splitext(os.path.basename(absolute))[0]
    return f"{stem}_{content_digest(absolute.encode()).hex()[:12]}"
