"""Classes and functions that are local to a function, and lambdas, by their path and the variables that they read."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from esper_audit.probes.recipes.local_definitions import (
    LAMBDA,
    Definition,
    definition_at,
    globals_of,
    numbered_path,
)
from esper_audit.probes.recipes.values import NotDescribable

OWN_CLASS = "__class__"  # the variable that `super()` reads
MOST_GIVEN = 16


def local_path_of(value: Any) -> tuple[str, dict[str, Any]]:
    """Return the path of a local class or function, and the variables around it that it reads.

    Raise NotDescribable unless its file has one such definition and they are known.
    """
    kind = "a lambda" if value.__name__ == LAMBDA else "a local class or function"
    name = f"{kind}, {value.__qualname__}"
    module = sys.modules.get(value.__module__ or "")
    if module is None or not vars(module).get("__file__"):
        raise NotDescribable(f"{name}, which has no file")
    file = str(vars(module)["__file__"])
    path = _path_in(value, file)
    found = definition_at(file, path) if path else None
    if found is None:
        raise NotDescribable(f"{name}, whose source is not unique")
    given = _given(value, found, vars(module))
    unknown = [one for one in globals_of(found, given) if one not in vars(module)]
    if unknown or len(given) > MOST_GIVEN:
        raise NotDescribable(
            f"{name}, which reads {', '.join(unknown) or 'many variables'} around it"
        )
    return f"{module.__name__}:{path}", given


def _path_in(value: Any, file: str) -> str:
    """Return the path of a local object in its file, empty if it is not clear."""
    path = str(value.__qualname__)
    lines = [function.__code__.co_firstlineno for function in _functions_of(value)]
    own = [numbered_path(file, path, line) for line in lines]
    return next(filter(None, own), path if isinstance(value, type) else "")


def _given(value: Any, found: Definition, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables in the closures of a local object, without itself, and local bases."""
    given: dict[str, Any] = {}
    if isinstance(found, ast.ClassDef):
        named = zip(found.bases, value.__bases__, strict=False)
        local = ((one.id, base) for one, base in named if isinstance(one, ast.Name))
        given = {name: base for name, base in local if name not in known}
    for function in _functions_of(value):
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                held = cell.cell_contents
            except ValueError:  # it is assigned later
                continue
            if held is not value and name != OWN_CLASS:
                given[name] = held
    return given


def _functions_of(value: Any) -> Iterator[FunctionType]:
    """Yield a function, or those that a class defines."""
    members = vars(value).values() if isinstance(value, type) else (value,)
    for member in members:
        if isinstance(member, (staticmethod, classmethod)):
            member = member.__func__  # what it wraps
        parts = (member.fget, member.fset) if isinstance(member, property) else (member,)
        unwrapped = (inspect.unwrap(part) for part in parts if callable(part))
        yield from (part for part in unwrapped if isinstance(part, FunctionType))
