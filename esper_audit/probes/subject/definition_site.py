"""The places in the source that define a subject: the class of what it builds, and its factory."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Iterator
from types import FunctionType

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.probe_record import DefinitionPlace
from esper_audit.probes.subject.definition_lines import definition_lines
from esper_audit.probes.subject.subject import Subject
from esper_audit.project.installed_files import is_installed

LOCAL = ".<locals>"


def definition_places(subject: Subject, root: str) -> tuple[DefinitionPlace, ...]:
    """Return the places below `root` that define a subject, the most specific first.

    A bound method is left out, because it is the same for every object of its class. If all definitions
    lie outside `root` (in torch, in an installed package), the function that declares the subject is
    returned instead.
    """
    own = os.path.abspath(root) + os.sep
    things = (
        [subject.about] if subject.about is not None else [*_built_types(subject), subject.build]
    )
    found = [
        place for thing in things if (place := _definition_place(thing, root, own)) is not None
    ]
    declared = (
        []
        if found
        else [_definition_place(thing, root, os.sep) for thing in _declaring_functions(subject)]
    )
    return tuple(dict.fromkeys([*found, *(place for place in declared if place is not None)]))


def _declaring_functions(subject: Subject) -> Iterator[object]:
    path, _, name = subject.source.rpartition(":")
    for module in list(sys.modules.values()):
        if path and vars(module).get("__file__") == os.path.abspath(path):
            yield vars(module).get(name)


def _built_types(subject: Subject) -> Iterator[object]:
    """Yield the function that the factory returns, or the class of the object that it returns."""
    from esper_audit.probes.subject.determinism import seed_streams

    seed_streams(0)
    try:
        built = subject.build(*subject.arguments())
    # The probe `build` reports the error.
    except FAILURES:
        return
    yield built if inspect.isroutine(built) else type(built)


def _definition_place(thing: object, root: str, below: str) -> DefinitionPlace | None:
    """Return the location of a class or function, None unless its file lies below the folder `below`."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    if isinstance(thing, FunctionType):
        thing = inspect.unwrap(thing)
    if not isinstance(thing, (type, FunctionType)):
        return None
    try:
        file, first, last = definition_lines(thing)
    except (OSError, TypeError):
        return None
    if not file.startswith(below) or is_installed(file.removeprefix(below)):
        return None
    path = os.path.relpath(file, root)
    symbol = thing.__qualname__.removesuffix(".<lambda>").removesuffix("<lambda>")
    symbol = symbol.replace(LOCAL, "")
    return DefinitionPlace(path.replace(os.sep, "/"), first, last, symbol)
