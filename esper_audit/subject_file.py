"""Loading subjects: `path/to/file.py:function` or `package.module:function`, as the configuration names them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

from esper_audit.subject import Subject, SubjectError, names_of

SUBJECT_FILES = "esper_audit.subject_files"


def load_subjects(source: str) -> list[Subject]:
    """Return the subjects that the function named by `source` yields, in its order."""
    place, _, name = source.rpartition(":")
    module = _from_file(place, source) if place.endswith(".py") else importlib.import_module(place)
    declared = [replace(subject, source=source) for subject in _function(module, name, source)()]
    if not declared:
        raise SubjectError(f"{source}: declares no subject; let it yield at least one")
    tuple(names_of(declared))
    return declared


def subject_of(source: str, name: str) -> Subject:
    """Return one subject by its name."""
    for subject in load_subjects(source):
        if subject.name == name:
            return subject
    raise SubjectError(f"{source}: declares no subject {name!r}")


def _from_file(path: str, source: str) -> ModuleType:
    """Import a file as itself, with its own directory searched for its neighbours."""
    if not os.path.isfile(path):
        raise SubjectError(f"subjects {source!r}: no such file as {path}; name a Python file")
    name = f"{SUBJECT_FILES}.{os.path.abspath(path)}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SubjectError(f"subjects {source!r}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their annotations up there
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(os.path.dirname(os.path.abspath(path)))
    return module


def _function(module: ModuleType, name: str, source: str) -> Callable[[], list[Subject]]:
    declared = vars(module).get(name)
    if not callable(declared):
        raise SubjectError(f"subjects {source!r}: {module.__file__} has no function {name!r}")
    function: Callable[[], list[Subject]] = declared
    return function
