"""Objects as values of a recipe: literals, names to import, and calls that make them again."""

from __future__ import annotations

import contextlib
import enum
import functools
import inspect
import os
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.measure.output_tree import is_lazy_matrix
from esper_audit.probes.recipes.local_definitions import is_local
from esper_audit.probes.recipes.values import CallSpec, NameSpec, NotDescribable, TupleSpec, Value
from esper_audit.probes.recording.distributions import distribution_arguments, lazy_matrix_call
from esper_audit.probes.recording.local_objects import local_path_of
from esper_audit.probes.recording.tensor_values import tensor_value

MOST_ITEMS = 64
MOST_CHARACTERS = 80  # a longer text is data
DEEPEST = 6
# Methods of built-in types, which have no module.
DESCRIPTORS = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)
CONTAINERS = (nn.Sequential, nn.ModuleList)
MODULES_OF_FUNCTIONS = (
    "torch",
    "torch.nn.functional",
    "torch.special",
    "math",
    "operator",
    "builtins",
)
Construction = Callable[[nn.Module], CallSpec | None]


def describe(value: Any, construction: Construction, depth: int = 0) -> Value:
    """Return a value as the value of a recipe, where `construction` finds how a module was built.

    Raise NotDescribable for what plain data cannot express.
    """
    if depth > DEEPEST:
        raise NotDescribable("values that are nested too deeply")
    inner = functools.partial(describe, construction=construction, depth=depth + 1)
    if isinstance(value, (bool, int, float, str, type(None))) and not isinstance(value, enum.Enum):
        return _literal(value)
    if isinstance(value, Tensor):
        return tensor_value(value)
    if isinstance(value, nn.Module):
        return _module(value, construction, inner)
    if isinstance(value, (list, tuple)):
        return _sequence(value, inner)
    if isinstance(value, Mapping):
        return _mapping(value, inner)
    return _object(value, inner)


def _literal(value: Any) -> Value:
    if isinstance(value, str):
        if len(value) > MOST_CHARACTERS:
            raise NotDescribable(f"a text of {len(value)} characters")
        if os.path.isabs(value) and os.path.exists(value):
            raise NotDescribable("the path of a file or folder of this machine")
        return str(value)
    plain: Value = value
    return plain


def _module(module: nn.Module, construction: Construction, inner: Callable[[Any], Value]) -> Value:
    if type(module) in CONTAINERS:
        children = [inner(child) for child in module.children()]
        name = type(module).__name__
        return CallSpec(
            f"torch.nn:{name}", tuple(children) if name == "Sequential" else (children,)
        )
    found = construction(module)
    if found is None:
        raise NotDescribable(f"a {type(module).__name__} whose construction was not recorded")
    return found


def _sequence(value: Any, inner: Callable[[Any], Value]) -> Value:
    if len(value) > MOST_ITEMS:
        raise NotDescribable(f"a sequence of {len(value)} items")
    items = [inner(item) for item in value]
    if isinstance(value, list):
        return items
    if isinstance(value, torch.Size):
        return CallSpec("torch:Size", (items,))
    if type(value) is tuple:
        return TupleSpec(tuple(items))
    return CallSpec(path_of(type(value)), tuple(items))


def _mapping(value: Mapping[Any, Any], inner: Callable[[Any], Value]) -> Value:
    if len(value) > MOST_ITEMS:
        raise NotDescribable(f"a mapping of {len(value)} keys")
    if any(not isinstance(key, str) for key in value):
        raise NotDescribable("a mapping with keys that are no texts")
    items: dict[str, Value] = {key: inner(item) for key, item in value.items()}
    if type(value) is dict:
        return items
    return CallSpec(path_of(type(value)), (items,))


def _object(value: Any, inner: Callable[[Any], Value]) -> Value:
    if isinstance(value, enum.Enum):
        return NameSpec(f"{path_of(type(value))}.{value.name}")
    if isinstance(value, type):
        return reference_to(value, inner)
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return NameSpec(str(value).replace("torch.", "torch:"))
    if isinstance(value, torch.device):
        return CallSpec("torch:device", (str(value),))
    if isinstance(value, functools.partial):
        return CallSpec(
            "functools:partial",
            (inner(value.func), *map(inner, value.args)),
            {k: inner(v) for k, v in value.keywords.items()},
        )
    if isinstance(value, (range, slice)):
        parts = tuple(inner(part) for part in (value.start, value.stop, value.step))
        return CallSpec(path_of(type(value)), parts)
    if isinstance(value, DESCRIPTORS):
        raise NotDescribable(f"a method of a built-in type, {value.__qualname__}")
    if inspect.isroutine(value):
        is_again = isinstance(value, types.FunctionType) and is_local(value.__qualname__)
        return reference_to(value, inner) if is_again else NameSpec(_path_of_function(value))
    if isinstance(value, Distribution):
        return _distribution(value, inner)
    if is_lazy_matrix(value):
        return lazy_matrix_call(value)
    return _by_constructor(value, inner)


def _distribution(value: Distribution, inner: Callable[[Any], Value]) -> Value:
    kind = type(value)
    arguments = distribution_arguments(value, _parameters(kind), inner)
    if isinstance(arguments, str):
        raise NotDescribable(f"a {kind.__name__}, which does not keep its argument {arguments}")
    return CallSpec(path_of(kind), (), arguments)


def reference_to(value: Any, inner: Callable[[Any], Value]) -> NameSpec:
    """Return the name of a class or function, with the variables that a local one reads."""
    if not is_local(value.__qualname__):
        return NameSpec(path_of(value))
    path, given = local_path_of(value)
    return NameSpec(path, {name: inner(item) for name, item in given.items()})


def path_of(kind: type) -> str:
    """Return `package.module:Class` of a class that can be imported by it."""
    path = f"{kind.__module__}:{kind.__qualname__}"
    if (
        not _is_importable(kind.__module__)
        or _found(kind.__module__, kind.__qualname__) is not kind
    ):
        raise NotDescribable(f"a class that cannot be imported, {kind.__qualname__}")
    return path


def _path_of_function(function: Any) -> str:
    name = str(function.__name__)
    qualified = str(function.__qualname__)
    for module, path in (
        (function.__module__, qualified),
        *((m, name) for m in MODULES_OF_FUNCTIONS),
    ):
        if module and _is_importable(module) and _found(module, path) is function:
            return f"{module}:{path}"
    raise NotDescribable(f"a function that cannot be imported, {qualified}")


def _is_importable(module: str) -> bool:
    """Return whether another process can import a module, unlike the text of `python -c`."""
    return module != "__main__" or "__file__" in vars(sys.modules[module])


def _found(module: str, name: str) -> object:
    """Return what a dotted name is in an imported module, None if there is nothing."""
    found: object = sys.modules.get(module)
    for part in name.split("."):
        try:
            found = inspect.getattr_static(found, part)
        except AttributeError:
            return None
        if isinstance(found, (staticmethod, classmethod)):
            found = found.__func__
    return found


def _by_constructor(value: Any, inner: Callable[[Any], Value]) -> Value:
    """Return a call of the class of an object with the arguments that its attributes hold."""
    kind = type(value)
    named = reference_to(kind, inner)
    held = _attributes(value)
    kwargs: dict[str, Value] = {}
    for parameter in _parameters(kind):
        name = parameter.name
        found = next((held[key] for key in (name, f"_{name}") if key in held), held)
        if found is held:
            if parameter.default is inspect.Parameter.empty:
                raise NotDescribable(f"a {kind.__name__}, which does not keep its argument {name}")
            continue
        if parameter.default is inspect.Parameter.empty or _is_other(found, parameter.default):
            kwargs[name] = inner(found)
    return CallSpec(named.path, (), kwargs, named.given)


def _is_other(found: object, default: object) -> bool:
    """Return whether an attribute differs from the default of its parameter, as far as plain values show."""
    if isinstance(found, (bool, int, float, str, type(None))):
        return type(found) is not type(default) or found != default
    return found is not default


def _attributes(value: Any) -> Mapping[str, Any]:
    """Return the attributes of an object, with the properties of its class that its constructor names."""
    try:
        held = dict(vars(value))
    except TypeError:
        raise NotDescribable(f"a {type(value).__name__}") from None
    for parameter in _parameters(type(value)):
        found = inspect.getattr_static(type(value), parameter.name, None)
        if isinstance(found, property) and parameter.name not in held:
            # A property is foreign code; one that raises holds nothing.
            with contextlib.suppress(*FAILURES):
                held[parameter.name] = found.__get__(value)
    return held


def _parameters(kind: type) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (ValueError, TypeError):
        raise NotDescribable(f"a {kind.__name__}") from None
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in parameters if p.kind not in variadic]
