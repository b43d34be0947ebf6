"""The concrete module classes of imported modules."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.discovery.targets import ModuleClass
from esper_audit.probes.subject.definition_lines import definition_lines
from esper_audit.text.phrases import quoted

TENSOR_NAMES = frozenset(
    {
        "x",
        "input",
        "inputs",
        "logits",
        "pred",
        "preds",
        "prediction",
        "predictions",
        "output",
        "scores",
    }
)


class FoundClasses(msgspec.Struct, frozen=True):
    """The classes of some modules, and the modules that could not be imported, with the reason."""

    classes: list[ModuleClass]
    not_importable: dict[str, str]


def find_classes(modules: list[str], root: str) -> FoundClasses:
    """Import modules and return their concrete subclasses of `nn.Module` in order of definition.

    A module of a package that cannot be imported cannot be imported either, even where Python keeps it from
    the attempt: the process of a class would fail.
    """
    os.chdir(root)
    found: dict[str, ModuleClass] = {}
    problems: dict[str, str] = {}
    for name in modules:
        if _import_problem(name, problems):
            continue
        members = list(vars(sys.modules[name]).values())
        found |= {one.target: one for one in _classes_of(members, name, root)}
        found |= {one.target: one for one in _functions_of(members, name, root)}
    lost = {name: problems[name] for name in modules if name in problems}
    return FoundClasses(sorted(found.values(), key=lambda one: (one.path, one.line)), lost)


def _import_problem(name: str, problems: dict[str, str]) -> str:
    """Import a module after the packages that hold it, and return why that fails, or an empty text.

    `problems` is what is known of other modules, and is extended.
    """
    if name not in problems:
        package = name.rpartition(".")[0]
        problem = _import_problem(package, problems) if package else ""
        problem = problem or _own_problem(name)
        if problem:
            problems[name] = problem
            _forget_orphans(name.partition(".")[0])
    return problems.get(name, "")


def _forget_orphans(top: str) -> None:
    """Remove the modules below a package that an import left behind when it removed their own package.

    Python takes them for importable, which they are not in the process of a class.
    """
    for name in sorted(sys.modules):
        package = name.rpartition(".")[0]
        if name.startswith(f"{top}.") and package not in sys.modules:
            del sys.modules[name]


def _own_problem(name: str) -> str:
    try:
        importlib.import_module(name)
    # An import is foreign code and may raise anything.
    except FAILURES as error:
        return quoted(f"{type(error).__name__}: {error}")
    return ""


def _classes_of(values: Iterable[object], module: str, root: str) -> Iterable[ModuleClass]:
    for value in values:
        if not isinstance(value, type) or not issubclass(value, nn.Module):
            continue
        if value.__module__ != module or inspect.isabstract(value) or "<" in value.__qualname__:
            continue
        yield from _located(value, module, root)


def _functions_of(values: Iterable[object], module: str, root: str) -> Iterable[ModuleClass]:
    """Yield the public functions whose first argument is a tensor, by its annotation or name."""
    for value in values:
        if not inspect.isfunction(value) or value.__module__ != module:
            continue
        code = value.__code__
        if value.__name__.startswith("_") or "<" in value.__qualname__ or not code.co_argcount:
            continue
        first = code.co_varnames[0]
        annotation = value.__annotations__.get(first)
        is_tensor = "Tensor" in str(annotation) or (annotation is None and first in TENSOR_NAMES)
        if is_tensor and not inspect.isgeneratorfunction(value):
            yield from _located(value, module, root)


def _located(value: Any, module: str, root: str) -> Iterable[ModuleClass]:
    try:
        file, first, last = definition_lines(value)
    except (OSError, TypeError):
        return
    path = os.path.relpath(file, root).replace(os.sep, "/")
    is_function = inspect.isfunction(value)
    yield ModuleClass(f"{module}:{value.__qualname__}", path, first, last, is_function)
