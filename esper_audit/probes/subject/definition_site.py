"""Where a subject is defined: the class of what it builds, and the factory that builds it."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Iterator
from types import FunctionType

from esper_audit.findings.errors import FAILURES
from esper_audit.findings.probe_record import DefinitionPlace
from esper_audit.probes.subject.subject import Subject

INSTALLED = "site-packages"
LOCAL = ".<locals>"


def places_of(subject: Subject, root: str) -> tuple[DefinitionPlace, ...]:
    """Return the places below `root` that define a subject, the most telling first.

    A bound method says nothing: it is the same for everything that its class makes. What is defined
    elsewhere (in torch, in an installed package) is not to be mended here: then the function that
    declares the subject is what there is to point at.
    """
    own = os.path.abspath(root) + os.sep
    things = [subject.about] if subject.about is not None else [*_built(subject), subject.build]
    found = [place for thing in things if (place := _place(thing, root, own)) is not None]
    declared = [] if found else [_place(thing, root, os.sep) for thing in _declaring(subject)]
    return tuple(dict.fromkeys([*found, *(place for place in declared if place is not None)]))


def _declaring(subject: Subject) -> Iterator[object]:
    path, _, name = subject.source.rpartition(":")
    for module in list(sys.modules.values()):
        if path and vars(module).get("__file__") == os.path.abspath(path):
            yield vars(module).get(name)


def _built(subject: Subject) -> Iterator[object]:
    """Yield what the factory makes, if it is a function, or its class."""
    try:
        built = subject.at(next(iter(subject.states)))
    # That it cannot be built is what the probe `build` says, with the reason.
    except FAILURES:
        return
    yield built if inspect.isroutine(built) else type(built)


def _place(thing: object, root: str, below: str) -> DefinitionPlace | None:
    """Return where a class or function stands, by a path relative to `root`; None unless `below`."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    if isinstance(thing, FunctionType):
        thing = inspect.unwrap(thing)
    if not isinstance(thing, (type, FunctionType)):
        return None
    try:
        file = os.path.abspath(inspect.getsourcefile(thing) or "")
        lines, first = inspect.getsourcelines(thing)
    except (OSError, TypeError):
        return None
    if not file.startswith(below) or INSTALLED in file.removeprefix(below).split(os.sep):
        return None
    path = os.path.relpath(file, root)
    symbol = thing.__qualname__.removesuffix(".<lambda>").removesuffix("<lambda>")
    symbol = symbol.replace(LOCAL, "")
    return DefinitionPlace(path.replace(os.sep, "/"), first, first + len(lines) - 1, symbol)
