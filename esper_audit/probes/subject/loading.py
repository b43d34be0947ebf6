"""Loading subjects: `path/to/file.py:function` or `package.module:function`, as the configuration names them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

from esper_audit.probes.subject.subject import Subject, SubjectError, names_of
from esper_audit.project.file_import import import_file


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
    if not os.path.isfile(path):
        raise SubjectError(f"subjects {source!r}: no such file as {path}; name a Python file")
    return import_file(path)


def _function(module: ModuleType, name: str, source: str) -> Callable[[], list[Subject]]:
    declared = vars(module).get(name)
    if not callable(declared):
        raise SubjectError(f"subjects {source!r}: {module.__file__} has no function {name!r}")
    function: Callable[[], list[Subject]] = declared
    return function
