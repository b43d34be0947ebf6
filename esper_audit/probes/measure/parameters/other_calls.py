"""Other calls of a module, which may reach parameters that a first one misses: data, arguments, attributes."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from esper_audit.findings.probe_record import Plain
from esper_audit.probes.recipes.materialise import CallArguments
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import tensors_in
from esper_audit.probes.subject.class_source import is_own_module, own_parts, tree_of_file

DRAWS = 8
LARGER = 8  # times the batch, so that a router has more to choose for
MOST_ELEMENTS = 1 << 14  # of the inputs of a larger batch
QUOTED = re.compile(r"[\"'](\w+)[\"']")
SMALL_NUMBERS = (0, 1, 2, 3)


@dataclass(frozen=True)
class Trial:
    """Another call of a module: its arguments, its random stream, and the attributes set for it.

    `reason` completes "is reached".
    """

    reason: str
    call: CallArguments
    stream: int = 0
    attributes: Mapping[str, Plain] = field(default_factory=dict)


def other_calls(subject: Discovered, module: nn.Module) -> Iterator[Trial]:
    """Yield calls with other data, another random stream, other plain arguments and attributes."""
    larger = larger_batch(subject)
    for seed in range(1, DRAWS + 1):
        yield Trial("with other data", (larger if seed > 1 else subject).arguments_of_call(seed))
        if seed % 2:
            yield Trial("under another random stream", subject.arguments_of_call(), seed)
    if pictures := larger_pictures(subject):
        yield Trial("with larger pictures", pictures.arguments_of_call())
    constants = compared_constants(module)
    args, kwargs = subject.arguments_of_call()
    for position, parameter in enumerate(inspect.signature(module.forward).parameters.values()):
        name = parameter.name
        given = args[position] if position < len(args) else kwargs.get(name, parameter.default)
        for value in (*other_values(given, constants), *texts_of(module, name, given)):
            call = (*args[:position], value, *args[position + 1 :]), kwargs
            by_name = args, {**kwargs, name: value}
            yield Trial(f"by another {name}", call if position < len(args) else by_name)
    for name, given in settings_of(module).items():
        for value in other_values(given, constants):
            yield Trial(f"where {name} is set", (args, kwargs), attributes={name: value})


def larger_batch(subject: Discovered) -> Discovered:
    """Return the subject with a larger batch, as it is if it has none or would be too large."""
    batch = subject.recipe.batch
    elements = sum(torch.Size(spec.shape).numel() for spec in tensors_in(subject.recipe.call))
    if batch is None or elements * LARGER > MOST_ELEMENTS:
        return subject
    larger = subject.recipe.resized(batch.axis, batch.size, batch.size * LARGER)
    return replace(subject, recipe=larger)


def larger_pictures(subject: Discovered) -> Discovered | None:
    """Return the subject with pictures of twice the sides, None if it is given none or they would be too large."""
    shape = tensors_in(subject.recipe.call)[0].shape
    if len(shape) != 4 or torch.Size(shape).numel() * 4 > MOST_ELEMENTS * LARGER:
        return None
    recipe = subject.recipe
    for axis in (2, 3):
        recipe = recipe.resized(axis, shape[axis], 2 * shape[axis])
    return replace(subject, recipe=recipe)


def other_values(given: Any, constants: Sequence[Plain]) -> list[Plain]:
    """Return the values that a plain value may have instead."""
    if isinstance(given, bool):
        return [not given]
    if not isinstance(given, int | str):
        return []
    known: Sequence[Plain] = () if isinstance(given, str) else SMALL_NUMBERS
    values = dict.fromkeys([*known, *(c for c in constants if type(c) is type(given))])
    return [value for value in values if value != given]


def texts_of(module: nn.Module, argument: str, given: object) -> list[str]:
    """Return the texts that a forward compares an argument with that it was given a tensor for."""
    compared = re.compile(rf"\b{argument} (?:==|in) (.*)")
    lines = inspect.getsource(type(module).forward) if isinstance(given, Tensor) else ""
    return list(dict.fromkeys(QUOTED.findall(" ".join(compared.findall(lines)))))


def compared_constants(module: nn.Module) -> list[Plain]:
    """Return the constants that the classes of a module compare with, and the keys of its parts."""
    kinds = dict.fromkeys(type(part) for part in own_parts(module))
    keys = (key for part in module.modules() if isinstance(part, nn.ModuleDict) for key in part)
    compared = (
        constant.value
        for kind in kinds
        for node in ast.walk(_file_tree(kind.__module__))
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
        for compare in ast.walk(node)
        if isinstance(compare, ast.Compare)
        for constant in ast.walk(compare)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, int | str)
    )
    return list(dict.fromkeys([*keys, *compared]))


def settings_of(module: nn.Module) -> dict[str, Plain]:
    """Return the plain attributes of a module and its parts that other code than a constructor sets.

    Among them are all flags, and the names that a constructor is given, but no number, such as that of its layers.
    """
    return {
        name: value
        for part in own_parts(module)
        for name, value in vars(part).items()
        if name != "training" and isinstance(value, bool | int | str)
        for kind in type(part).__mro__
        if is_own_module(kind)
        if name in _set_later(kind.__module__)
        or isinstance(value, bool)
        or (isinstance(value, str) and name in _given(kind.__module__))
    }


@contextmanager
def attributes_set(module: nn.Module, values: Mapping[str, Plain]) -> Iterator[None]:
    """Set attributes on each part of a module that has them, and set them back."""
    before = [(p, n, vars(p)[n]) for p in own_parts(module) for n in values if n in vars(p)]
    for part, name, _ in before:
        vars(part)[name] = values[name]
    try:
        yield
    finally:
        for part, name, value in before:
            vars(part)[name] = value


def _file_tree(module: str) -> ast.Module:
    file = vars(sys.modules[module]).get("__file__") if module in sys.modules else None
    return tree_of_file(file or "")


@cache
def _set_later(module: str) -> frozenset[str]:
    """Return the attributes that functions of a file set, those that build a module excepted."""
    functions = [n for n in ast.walk(_file_tree(module)) if isinstance(n, ast.FunctionDef)]
    building = {"__init__"} | {
        node.func.attr
        for function in functions
        if function.name == "__init__"
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    return frozenset(
        node.attr
        for function in functions
        if function.name not in building
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    )


@cache
def _given(module: str) -> frozenset[str]:
    """Return the attributes that the constructors of a file set to one of their parameters."""
    constructors = [
        n
        for n in ast.walk(_file_tree(module))
        if isinstance(n, ast.FunctionDef) and n.name == "__init__"
    ]
    return frozenset(
        target.attr
        for function in constructors
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
        if node.value.id in {a.arg for a in (*function.args.args, *function.args.kwonlyargs)}
        for target in node.targets
        if isinstance(target, ast.Attribute)
    )
