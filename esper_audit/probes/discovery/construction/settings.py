"""Settings objects for a constructor: the class that a module is given, with the sizes of a small model."""

from __future__ import annotations

import enum
import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

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
    parameters_of,
)
from esper_audit.probes.recipes.materialise import import_name, materialise
from esper_audit.probes.recipes.values import CallSpec, TensorSpec, Value

SETTINGS = re.compile(
    r"(.*_)?(config(uration|s)?|cfg|conf|args|arguments|settings|options|opts?|h?params|hp)",
    re.IGNORECASE,
)
SETTINGS_CLASS = re.compile(
    r".*(Config(uration)?|Cfg|Args|Arguments|Settings|Options|Opts?|H?Params)(V?\d+)?"
)
LAYERS = re.compile(
    r"(.*_)?(layers?|blocks?|depths?)(_num)?|n_?layers?|num_.*_layers", re.IGNORECASE
)
HEADS = re.compile(r"(.*_)?n?heads?", re.IGNORECASE)
OF_HEAD = re.compile(r"(.*_)?(head_dim|dim_head|head_size|d_kv|d_head|d_k|d_v)", re.IGNORECASE)
MAIN_WIDTH = re.compile(
    r"hidden_(size|dim)|d_model|n_embd|embed(ding)?_?(dim|size)|dim|width|model_dim|d_embed",
    re.IGNORECASE,
)
WIDTH = re.compile(
    r"(.*_)?(dim|dims|width|hidden|size|sizes|channels|features|n_embd|n_inner|d_model|d_ff|planes|embed|rank)",
    re.IGNORECASE,
)
NO_WIDTH = re.compile(
    r".*(vocab|image|patch|kernel|window|block|batch|chunk|group|conv|sample|crop|grid|bucket|cache"
    r"|tile|pool|stride|mel|num_channels|in_channels|state|type|time_step|shard|resolution).*",
    re.IGNORECASE,
)
WORDS = re.compile(
    r"(.*_)?(vocab(ulary)?_?(size)?|num_tokens|n_tokens|num_embeddings)", re.IGNORECASE
)
POSITIONS = re.compile(
    r"(.*_)?(max_.*positions?|.*position_embeddings|n_?positions?|n_ctx|(max_)?seq(uence)?_?len(gth)?"
    r"|context_?len(gth)?|block_size|max_len(gth)?)",
    re.IGNORECASE,
)
EXPERTS = re.compile(r"(.*_)?(num|n)_.*experts?(_per_.*)?", re.IGNORECASE)
OF_WORD = re.compile(r".*_(id|idx|index)", re.IGNORECASE)
NAMESPACE = "types:SimpleNamespace"
# What has the methods of a built-in type is one.
BUILT_IN: tuple[tuple[frozenset[str], Value], ...] = (
    (frozenset(dir(dict)), {}),
    (frozenset(dir(str)), "mean"),
    (frozenset(dir(torch.Tensor)), TensorSpec((32,))),
)
FEW_LAYERS, FEW_HEADS, FEW_EXPERTS = 2, 4, 4
HEAD_WIDTH = 16
LEAST_WIDTH = 8  # and what a width is a multiple of
NARROW = 128  # a main width up to this is small
FEW_WORDS = 128
FEW_POSITIONS = 64
MOST_PARAMETERS = 5e7  # of a model in the sizes that a class defaults to
MOST_CLASSES = 3
DEEPEST = 2
Sizes: TypeAlias = Mapping[str, Any]  # a whole number, or a list of these
Changes: TypeAlias = dict[str, Value]


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
    accepted = {p.name for p in parameters_of(kind)} | {lacking}
    for name in filter(None, dict.fromkeys([lacking, *names])):
        for value in guesses(name) if name in accepted and held.get(name) is None else ():
            other = with_keyword(call, name, value)
            made = _made(other)
            if made is not None and _attributes(made).get(name) is not None:
                yield other


def is_settings_class(kind: type) -> bool:
    """Return whether the name of a class, which is no module, calls it settings."""
    return bool(SETTINGS_CLASS.fullmatch(kind.__name__)) and not issubclass(kind, nn.Module)


def is_plain_class(kind: type) -> bool:
    """Return whether a class is no module, no enumeration and no settings, for which there are other guesses."""
    return not issubclass(kind, (nn.Module, enum.Enum)) and not is_settings_class(kind)


def smaller_settings(kind: type, call: CallSpec) -> list[CallSpec]:
    """Return constructions of settings that work, with all sizes made small, fewer of them, then as they are."""
    settings = _made(call)
    if settings is None:
        return []
    accepted = [p.name for p in parameters_of(kind)]
    held = _attributes(settings)
    known = {name: held.get(name) for name in accepted if name not in call.kwargs}
    sizes = {name: value for name, value in known.items() if value is not None and _is_size(value)}
    nested = _nested(known, depth=0)
    calls = [
        CallSpec(call.path, call.args, {**call.kwargs, **nested, **changes})
        for changes in _changes(sizes)
    ]
    if not _is_large(sizes):
        calls.append(call)
    return [one for number, one in enumerate(calls) if one not in calls[:number] and _works(one)]


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


def _works(call: CallSpec) -> bool:
    """Return whether a construction raises nothing."""
    return _made(call) is not None


def _attributes(settings: Any) -> Mapping[str, Any]:
    if "__dict__" in dir(settings):
        return vars(settings)  # type: ignore[no-any-return]  # of any object
    names = [
        name for name in dir(settings) if not name.startswith("_")
    ]  # it has slots, or is a tuple
    return {name: inspect.getattr_static(settings, name) for name in names}


def _nested(known: Mapping[str, Any], depth: int) -> Changes:
    """Return the settings among attributes, made small."""
    found: Changes = {}
    for name, value in known.items() if depth < DEEPEST else ():
        kind = type(value)
        if SETTINGS.fullmatch(name) and is_settings_class(kind):
            smaller = smaller_settings(kind, constructor_call(kind, 1))
            if smaller:
                found[name] = smaller[0]
    return found


def _is_size(value: Any) -> bool:
    """Return whether a value is a whole number, or a list of these."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(type(item) is int for item in value)
    return type(value) is int


def _changes(sizes: Sizes) -> Iterator[Changes]:
    """Yield smaller values of some sizes: of all, of all but the widths, of the layers."""
    words = [v for n, v in sizes.items() if isinstance(v, int) and WORDS.fullmatch(n)]
    layers = _mapped(sizes, LAYERS, lambda number: min(number, FEW_LAYERS))
    lengths = _mapped(sizes, WORDS, lambda number: min(number, FEW_WORDS))
    lengths |= _mapped(sizes, POSITIONS, lambda number: min(number, FEW_POSITIONS))
    if words and max(words) > FEW_WORDS:
        lengths |= _mapped(sizes, OF_WORD, lambda number: min(number, FEW_WORDS - 1))
    widths = {**_widths(sizes), **_mapped(sizes, EXPERTS, lambda number: min(number, FEW_EXPERTS))}
    yield {**widths, **lengths, **layers}
    yield {**lengths, **layers}
    yield layers


def _mapped(sizes: Sizes, names: re.Pattern[str], change: Any) -> Changes:
    """Return the sizes of some names that a change makes different."""
    found: Changes = {}
    for name, value in sizes.items():
        new = [change(one) for one in value] if isinstance(value, (list, tuple)) else change(value)
        if names.fullmatch(name) and new != value:
            found[name] = new
    return found


def _widths(sizes: Sizes) -> Changes:
    """Return numbers of heads and widths that are smaller by one factor, so that they divide as before."""
    scalars = {name: value for name, value in sizes.items() if isinstance(value, int)}
    main = next((v for n, v in scalars.items() if MAIN_WIDTH.fullmatch(n)), 0)
    heads = {n: v for n, v in scalars.items() if HEADS.fullmatch(n) and v > 0}
    most = max(heads.values(), default=1)
    if main <= NARROW:
        return {}
    few = math.gcd(most, FEW_HEADS)
    small = few * HEAD_WIDTH * max(1, FEW_HEADS // few)
    found: Changes = {name: max(1, value * few // most) for name, value in heads.items()}
    for name, value in scalars.items():
        if OF_HEAD.fullmatch(name):
            found[name] = _narrowed(value, main * few, small * most)
        elif (
            WIDTH.fullmatch(name) and not NO_WIDTH.fullmatch(name) and not POSITIONS.fullmatch(name)
        ):
            found[name] = _narrowed(value, main, small)
    return found


def _narrowed(width: int, main: int, small: int) -> int:
    """Return a width in proportion to the main one, not below the least one."""
    if width < LEAST_WIDTH:
        return width
    return max(LEAST_WIDTH, width * small // main // LEAST_WIDTH * LEAST_WIDTH)


def _is_large(sizes: Sizes) -> bool:
    """Return whether a transformer of some sizes has more parameters than a search should draw."""
    scalars = {name: value for name, value in sizes.items() if isinstance(value, int)}
    width = max((v for n, v in scalars.items() if MAIN_WIDTH.fullmatch(n)), default=0)
    layers = max((v for n, v in scalars.items() if LAYERS.fullmatch(n)), default=1)
    words = max((v for n, v in scalars.items() if WORDS.fullmatch(n)), default=0)
    return 12 * layers * width**2 + words * width > MOST_PARAMETERS
