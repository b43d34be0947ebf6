"""Objects as values of a recipe: shapes and ranges of tensors, never their data."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import inspect
import math
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.recipes.values import CallSpec, NameSpec, TensorSpec, TupleSpec, Value

MOST_ITEMS = 64
MOST_CHARACTERS = 200
DEEPEST = 6
MOST_READ = 1 << 20  # elements of a tensor whose range is read
ORDINARY = 8.0  # normally distributed values lie within
FEWEST_BOUNDED = 10  # this many normally distributed values are seldom all within one of zero
NEAR_ZERO = 0.2  # a least value below this share of the largest one counts as zero
FINE = 20  # a number of ids below this is exact
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


class NotDescribable(Exception):
    """A value that plain data cannot express, with the reason."""


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
        return tensor_spec(value)
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
        return str(value)
    plain: Value = value
    return plain


def tensor_spec(tensor: Tensor) -> TensorSpec:
    """Return the shape, dtype and range of a tensor."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
        raise NotDescribable("a sparse, nested or quantised tensor")
    spec = TensorSpec(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
    is_plain = type(tensor) in (Tensor, nn.Parameter) and tensor.device.type != "meta"
    if is_plain and 0 < tensor.numel() <= MOST_READ and not tensor.is_complex():
        # A function transform or a mode of the command may refuse to give out values.
        with contextlib.suppress(*FAILURES):
            return _with_range(spec, tensor.detach())
    return spec


def _with_range(spec: TensorSpec, tensor: Tensor) -> TensorSpec:
    if spec.dtype == "bool":
        share = tensor.float().mean().item()
        return spec if share == 1 else dataclasses.replace(spec, high=round(share, 2))
    if not spec.is_floating:
        first, end = _coarse_integers(int(tensor.min()), int(tensor.max()) + 1)
        return dataclasses.replace(spec, low=first, high=end)
    finite = tensor[torch.isfinite(tensor)].float()
    if not finite.numel():
        return spec
    least, most = float(finite.min()), float(finite.max())
    if least < 0 and max(-least, most) <= ORDINARY:
        is_bounded = finite.numel() >= FEWEST_BOUNDED and max(-least, most) <= 1
        return dataclasses.replace(spec, low=-1.0, high=1.0) if is_bounded else spec
    if least == most and least >= 0:  # a constant stands for any value up to it
        return dataclasses.replace(spec, high=_coarse(most, math.ceil) or 1.0)
    high = _coarse(max(most, least + 1e-3), math.ceil)
    low = 0.0 if 0 <= least < high * NEAR_ZERO else _coarse(least, math.floor)
    return dataclasses.replace(spec, low=low, high=high)


def _coarse_integers(low: int, high: int) -> tuple[int, int]:
    """Return a range of ids that hardly differs from run to run, and not above the one that was seen."""
    if high >= FINE:
        high = int(_coarse(high, math.floor))
    low = 0 if 0 <= low < high * NEAR_ZERO else low
    return low, max(high, low + 1)


def _coarse(value: float, toward: Callable[[float], int]) -> float:
    """Return a number with one digit, so that runs with other random numbers record the same."""
    if value == 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(abs(value)))
    return float(f"{toward(value / unit) * unit:.6g}")


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
    if type(value) is tuple or isinstance(value, torch.Size):
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
        return NameSpec(path_of(value))
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
        return NameSpec(_path_of_function(value))
    return _by_constructor(value, inner)


def path_of(kind: type) -> str:
    """Return `package.module:Class` of a class that can be imported by it."""
    path = f"{kind.__module__}:{kind.__qualname__}"
    if "<" in path or _found(kind.__module__, kind.__qualname__) is not kind:
        raise NotDescribable(f"a class that cannot be imported, {kind.__qualname__}")
    return path


def _path_of_function(function: Any) -> str:
    name = str(function.__name__)
    qualified = str(function.__qualname__)
    for module, path in (
        (function.__module__, qualified),
        *((m, name) for m in MODULES_OF_FUNCTIONS),
    ):
        if module and _found(module, path) is function:
            return f"{module}:{path}"
    raise NotDescribable(
        "a lambda"
        if "<lambda>" in qualified
        else f"a function that cannot be imported, {qualified}"
    )


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
    path = path_of(kind)
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
    return CallSpec(path, (), kwargs)


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
