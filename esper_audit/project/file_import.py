"""Importing a Python file by its path: once a process, as itself, with its neighbours found."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from types import ModuleType


def import_file(path: str) -> ModuleType:
    """Return the module that a file makes; what it imports is looked for beside it first.

    Raises FileNotFoundError where there is no such file, and whatever the file raises.
    """
    whole = os.path.abspath(path)
    name = _module_name(whole)
    if name in sys.modules:
        return sys.modules[name]
    if not os.path.isfile(whole):
        raise FileNotFoundError(f"{path}: no such Python file")
    specification = importlib.util.spec_from_file_location(name, whole)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path}: no loader for this kind of file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and msgspec look their annotations up there
    beside = os.path.dirname(whole)
    sys.path.insert(0, beside)
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(beside)
    return module


def _module_name(whole: str) -> str:
    """Return a name of the file's own: two files of one name must not be taken for each other."""
    stem = os.path.splitext(os.path.basename(whole))[0]
    return f"{stem}_{hashlib.sha256(whole.encode()).hexdigest()[:12]}"
