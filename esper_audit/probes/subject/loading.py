"""Loading subjects from `path/to/file.py:function` or `package.module:function`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

from esper_audit.probes.subject.subject import Subject, SubjectError, check_unique_names
from esper_audit.project.file_import import import_file


def load_subjects(source: str) -> list[Subject]:
    """Return the subjects that the function `source` yields.

    Raise SubjectError if it yields none.
    """
    place, _, name = source.rpartition(":")
    module = _from_file(place, source) if place.endswith(".py") else importlib.import_module(place)
    declared = [replace(subject, source=source) for subject in _function(module, name, source)()]
    if not declared:
        raise SubjectError(f"{source}: the function yields no subject. Yield at least one.")
    check_unique_names(declared)
    return declared


def subject_of(source: str, name: str) -> Subject:
    """Return the subject of this name.

    Raise SubjectError if there is none.
    """
    for subject in load_subjects(source):
        if subject.name == name:
            return subject
    raise SubjectError(f"{source}: there is no subject {name!r}")


def _from_file(path: str, source: str) -> ModuleType:
    if not os.path.isfile(path):
        raise SubjectError(f"{source}: there is no file {path}")
    return import_file(path)


def _function(module: ModuleType, name: str, source: str) -> Callable[[], list[Subject]]:
    declared = vars(module).get(name)
    if not callable(declared):
        raise SubjectError(f"{source}: {module.__file__} has no function {name!r}")
    function: Callable[[], list[Subject]] = declared
    return function
