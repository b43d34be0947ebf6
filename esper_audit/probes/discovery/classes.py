"""The concrete module classes of imported modules."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Iterable

import msgspec
from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.discovery.targets import ModuleClass
from esper_audit.text.phrases import quoted


class FoundClasses(msgspec.Struct, frozen=True):
    """The classes of some modules, and the modules that could not be imported, with the reason."""

    classes: list[ModuleClass]
    not_importable: dict[str, str]


def find_classes(modules: list[str], root: str) -> FoundClasses:
    """Import modules and return their concrete subclasses of `nn.Module` in order of definition."""
    os.chdir(root)
    found: dict[str, ModuleClass] = {}
    problems: dict[str, str] = {}
    for name in modules:
        try:
            module = importlib.import_module(name)
        # An import is foreign code and may raise anything.
        except FAILURES as error:
            problems[name] = quoted(f"{type(error).__name__}: {error}")
            continue
        found |= {one.target: one for one in _classes_of(vars(module).values(), name, root)}
    return FoundClasses(sorted(found.values(), key=lambda one: (one.path, one.line)), problems)


def _classes_of(values: Iterable[object], module: str, root: str) -> Iterable[ModuleClass]:
    for value in values:
        if not isinstance(value, type) or not issubclass(value, nn.Module):
            continue
        if value.__module__ != module or inspect.isabstract(value) or "<" in value.__qualname__:
            continue
        try:
            file = inspect.getsourcefile(value) or ""
            lines, first = inspect.getsourcelines(value)
        except (OSError, TypeError):
            continue
        path = os.path.relpath(file, root).replace(os.sep, "/")
        target = f"{module}:{value.__qualname__}"
        yield ModuleClass(target, path, first, first + len(lines) - 1)
