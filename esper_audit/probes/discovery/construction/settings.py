"""Settings objects for a constructor: the class that a module is given, with the sizes of a small model."""

from __future__ import annotations

import enum
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.discovery.construction.argument_use import (
    attributes_of_name,
    attributes_read,
    package_classes,
)
from esper_audit.probes.discovery.construction.constructor_repair import with_keyword
from esper_audit.probes.discovery.construction.guesses import (
    annotated_classes,
    constructor_call,
    guesses_for,
    parameters_of,
)
from esper_audit.probes.discovery.construction.small_sizes import (
    HEADS,
    INPUT_WIDTH,
    POSITIONS,
    WIDTH,
    WIDTH_OF,
    Changes,
    is_large,
    is_size,
    smaller_sizes,
)
from esper_audit.probes.recipes.materialise import import_name, materialise
from esper_audit.probes.recipes.values import Arguments, CallSpec, TensorSpec, Value

SETTINGS = re.compile(
    r"(.*_)?(config(uration|s)?|cfg|conf|args|arguments|settings|options|opts?|h?params|hp)",
    re.IGNORECASE,
)
SETTINGS_CLASS = re.compile(
    r".*(Config(uration)?|Cfg|Args|Arguments|Settings|Options|Opts?|H?Params)(V?\d+)?"
)
NAMESPACE = "types:SimpleNamespace"
# What has the methods of a built-in type is one.
BUILT_IN: tuple[tuple[frozenset[str], Value], ...] = (
    (frozenset(dir(dict)), {}),
    (frozenset(dir(str)), "mean"),
    (frozenset(dir(torch.Tensor)), TensorSpec((32,))),
)
MOST_CLASSES = 3
DEEPEST = 2


def settings_calls(kind: type, parameter: inspect.Parameter, depth: int) -> tuple[CallSpec, ...]:
    """Return constructions of the settings that a parameter of a class is likely to take, the smallest first."""
    found: list[CallSpec] = []
    for candidate in _settings_classes(kind, parameter)[:MOST_CLASSES]:
        found += smaller_settings(candidate, constructor_call(candidate, depth + 1))
    return tuple(found)


def namespace_call(
    kind: type, name: str, attribute: str, guesses: Callable[[str], Sequence[Value]]
) -> Value:
    """Return settings with all attributes that the file of a class reads of a parameter, by their guesses."""
    for methods, value in BUILT_IN:
        if attribute in methods:
            return value
    names = {attribute: None} | dict.fromkeys(attributes_of_name(kind, name))
    return CallSpec(NAMESPACE, (), {one: guesses(one)[0] for one in names})


def completed_settings(
    call: CallSpec, names: Sequence[str], lacking: str, guesses: Callable[[str], Sequence[Value]]
) -> Iterator[CallSpec]:
    """Yield a construction of settings with a value for each name in turn that is None in them.

    `lacking` is an attribute that they do not have.
    """
    kind = import_name(call.path)
    settings = _made(call) if isinstance(kind, type) and is_settings_class(kind) else None
    if settings is None:
        return
    held = _attributes(settings)
    accepted = {p.name: p for p in parameters_of(kind)}
    for name in filter(None, dict.fromkeys([lacking, *names])):
        is_given = held.get(name) is not None and not _is_placeholder(held.get(name))
        if is_given or (name not in accepted and name != lacking):
            continue
        inner = settings_calls(kind, accepted[name], 1) if name in accepted else ()
        for value in (*inner, *guesses(name)):
            other = with_keyword(call, name, value)
            made = _made(other)
            if made is not None and _attributes(made).get(name) is not None:
                yield other


def _is_placeholder(value: Any) -> bool:
    """Return whether a value is a negative number, which says that a size has to be given."""
    return type(value) is int and value < 0


def replaced_settings(
    arguments: Arguments, names: Sequence[str], guesses: Callable[[str], Sequence[Value]]
) -> Iterator[Arguments]:
    """Yield the arguments with a named attribute of an object in them replaced by its next likely values."""
    for key, value in arguments.kwargs.items():
        if not isinstance(value, CallSpec):
            continue
        for name in filter(value.kwargs.__contains__, names):
            for guess in guesses(name):
                yield arguments.with_value(str(key), with_keyword(value, name, guess))


def is_settings_class(kind: type) -> bool:
    """Return whether the name of a class, which is no module, calls it settings."""
    return bool(SETTINGS_CLASS.fullmatch(kind.__name__)) and not issubclass(kind, nn.Module)


def is_plain_class(kind: type, owner: type) -> bool:
    """Return whether a class of the package of another one is no module and no enumeration."""
    is_own = kind.__module__.partition(".")[0] == owner.__module__.partition(".")[0]
    return is_own and not issubclass(kind, (nn.Module, enum.Enum))


def smaller_settings(kind: type, call: CallSpec) -> list[CallSpec]:
    """Return constructions of settings that work, with all sizes made small, fewer of them, then as they are."""
    settings = _made(call)
    not_given = [p for p in parameters_of(kind) if p.name not in call.kwargs]
    if settings is None:  # it may refuse its own defaults
        known = {p.name: p.default for p in not_given}
        filled = _placeholders(not_given, known)
        settings = _made(CallSpec(call.path, call.args, {**call.kwargs, **filled}))
        if settings is None:
            return []
    else:
        known = {p.name: _attributes(settings).get(p.name) for p in not_given}
        filled = _placeholders(not_given, known)
    sizes = {n: v for n, v in (known | filled).items() if v is not None and is_size(v)}
    nested = _nested(known, depth=0) | filled
    calls = [
        CallSpec(call.path, call.args, {**call.kwargs, **nested, **changes})
        for changes in smaller_sizes(sizes)
    ]
    if not is_large(sizes):
        calls.append(call)  # as it is
    return [
        one for number, one in enumerate(calls) if one not in calls[:number] and is_buildable(one)
    ]


def _settings_classes(kind: type, parameter: inspect.Parameter) -> list[type]:
    """Return the settings that an annotation names, else those of the package whose attributes a class reads."""
    annotated = [one for one in annotated_classes(parameter.annotation) if is_settings_class(one)]
    fitting = [
        one for one in annotated if one.__module__.partition(".")[0] not in ("torch", "typing")
    ]
    if fitting or not SETTINGS.fullmatch(parameter.name):
        return fitting
    if parameter.annotation is not inspect.Parameter.empty and annotated_classes(
        parameter.annotation
    ):
        return []
    module = sys.modules.get(kind.__module__)
    near = [one for one in vars(module).values() if isinstance(one, type)] if module else []
    package = kind.__module__.partition(".")[0]
    wanted = attributes_read(kind, parameter.name)
    ranked: list[tuple[int, int, int, type]] = []
    for number, one in enumerate(dict.fromkeys([*near, *package_classes(package)])):
        shared = _letters_in_common(one.__name__, kind.__name__)
        is_candidate = is_settings_class(one) and one.__module__.partition(".")[0] == package
        lacking = _lacking(one, wanted) if is_candidate and (one in near or shared) else None
        if lacking is not None and (not lacking or lacking < len(wanted)):
            ranked.append((lacking, -shared, number, one))
    return [one for *_, one in sorted(ranked, key=lambda item: item[:3])]


def _letters_in_common(one: str, other: str) -> int:
    """Return how many letters two names begin with in common, none if they are fewer than three."""
    pairs = zip(one.lower(), other.lower().lstrip("_"), strict=False)
    length = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
    return length if length > 2 else 0


@cache
def _lacking(kind: type, attributes: frozenset[str]) -> int | None:
    """Return how many attributes the objects of a class do not have, None if none can be made."""
    settings = _made(constructor_call(kind, 1))
    return None if settings is None else len(attributes - {*dir(settings)})


def _made(call: CallSpec) -> Any:
    """Return the object of a construction, None if that raises."""
    try:
        return materialise(call, torch.default_generator)
    # A constructor is foreign code and may raise anything.
    except FAILURES:
        return None


def is_buildable(call: CallSpec) -> bool:
    """Return whether a construction raises nothing."""
    return _made(call) is not None


def _attributes(settings: Any) -> Mapping[str, Any]:
    if "__dict__" in dir(settings):
        return vars(settings)  # type: ignore[no-any-return]  # of any object
    names = [
        name for name in dir(settings) if not name.startswith("_")
    ]  # it has slots, or is a tuple
    return {name: inspect.getattr_static(settings, name) for name in names}


def _placeholders(parameters: Sequence[inspect.Parameter], known: Mapping[str, Any]) -> Changes:
    """Return values for the sizes whose default, such as -1, only says that they have to be given."""
    found: Changes = {}
    for parameter in parameters:
        name, value = parameter.name, known.get(parameter.name)
        has_size_name = any(one.fullmatch(name) for one in (WIDTH, WIDTH_OF, HEADS, POSITIONS))
        is_negative = type(value) is int and value < 0 and has_size_name
        is_empty = type(value) is int and value == 0 and INPUT_WIDTH.fullmatch(name)
        is_missing = value is None and parameter.annotation in (int, "int")
        if is_negative or is_empty or is_missing:
            found[name] = guesses_for(parameter)[0]
    return found


def _nested(known: Mapping[str, Any], depth: int) -> Changes:
    """Return the settings among attributes, made small."""
    found: Changes = {}
    for name, value in known.items() if depth < DEEPEST else ():
        kind = type(value)
        if is_settings_class(kind):
            smaller = smaller_settings(kind, constructor_call(kind, 1))
            if smaller:
                found[name] = smaller[0]
    return found
