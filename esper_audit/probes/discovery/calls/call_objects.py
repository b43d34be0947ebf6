"""Objects and dictionaries as arguments of a call, where a module does not take a plain tensor."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum

import torch
from torch import Tensor, nn

from esper_audit.probes.discovery.calls.call_repair import LACKING
from esper_audit.probes.discovery.construction.argument_use import (
    attributes_of_name,
    classes_with,
    package_classes,
)
from esper_audit.probes.discovery.construction.constructor import working_call
from esper_audit.probes.discovery.construction.guesses import (
    annotated_classes,
    guesses_for,
    is_named,
    parameters_of,
    required_parameters,
)
from esper_audit.probes.discovery.construction.settings import NAMESPACE, is_buildable
from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.discovery.inputs import named_parameter, values_of
from esper_audit.probes.recipes.values import Arguments, CallSpec, TensorSpec, Value, tensors_in

QUOTED = re.compile(r"['\"]([\w.\-]+)['\"]")
WANTED_CLASS = re.compile(
    r"(?:[Ee]xpected|must be|should be|to be|instance of|type of)\b[^.]*?\b([A-Z]\w+)\b[^.]*?(?:got|not|received|found)"
)
SUBSCRIPTED = re.compile(
    r"only supports Tensor or scalar, but you passed in a <class 'str'>|invalid data type 'str'"
    r"|too many indices for tensor|\(got str\)|indices must be integers or slices, not str"
)
NOT_A_MAPPING = re.compile(r"must be a mapping, not Tensor")
NO_CLASSES = frozenset({"Tensor", "Module", "None", "Long", "Float", "Int"})
PLAIN_MODULES = ("torch", "typing", "builtins", "numpy", "collections", "types", "inspect")
MOST_CLASSES = 3


Known = Mapping[
    str, Value
]  # what the constructor of the module was given, which objects take by the same name


def annotated_objects(
    parameter: inspect.Parameter, first: TensorSpec, known: Known
) -> Iterator[Value]:
    """Yield objects of the classes that a parameter of a call is annotated with, made of tensors."""
    for kind in annotated_classes(parameter.annotation):
        is_plain = kind.__module__.partition(".")[0] in PLAIN_MODULES
        if issubclass(kind, Enum):
            yield from guesses_for(parameter)
        elif not is_plain and not issubclass(kind, (Tensor, BaseException)):
            yield from object_calls(kind, first, known)


def other_objects(parameter: inspect.Parameter, first: TensorSpec, known: Known) -> Iterator[Value]:
    """Yield the objects of a parameter that takes no tensor, such as one that is not the first."""
    if Tensor not in annotated_classes(parameter.annotation):
        yield from annotated_objects(parameter, first, known)


def object_calls(kind: type, first: TensorSpec, known: Known) -> Iterator[CallSpec]:
    """Yield constructions of a class that work, those with tensors for what has no plain annotation first."""
    path = f"{kind.__module__}:{kind.__qualname__}"
    parameters = [p for p in required_parameters(kind) if is_named(p)]
    lists = [list(itertools.islice(values_of(p, first), MOST_CLASSES)) for p in parameters]
    calls = [
        CallSpec(path, (), {p.name: v[min(n, len(v) - 1)] for p, v in zip(parameters, lists, strict=True)})
        for n in range(max(map(len, lists), default=0))
    ]  # fmt: skip
    found: list[CallSpec] = []
    for call in (*calls, *filter(None, [working_call(kind, 1)])):
        accepted = {p.name for p in parameters_of(kind) if is_named(p)}
        shared = {name: value for name, value in known.items() if name in accepted}
        for other in (CallSpec(path, (), {**call.kwargs, **shared}), call):
            if other not in found and is_buildable(other):
                found.append(other)
                yield other


def with_objects(
    kind: type[nn.Module],
    forward: Callable[..., object],
    call: Arguments,
    failure: TrialFailure,
    known: Known,
) -> Iterator[Arguments]:
    """Yield the call with an object or a dictionary in place of a tensor that a failure shows to be none."""
    specs = tensors_in(call)
    named = _named_arguments(forward, call)
    for name, (key, value) in named.items():
        if isinstance(value, dict):
            yield from _with_key(call, key, value, failure, specs)
        is_blamed = name in failure.names or len(named) == 1
        if isinstance(value, TensorSpec) and is_blamed:
            if SUBSCRIPTED.search(failure.message) or NOT_A_MAPPING.search(failure.message):
                yield call.with_value(key, {})
            for other in _objects(kind, name, value, failure, known):
                yield call.with_value(key, other)


def _named_arguments(
    forward: Callable[..., object], call: Arguments
) -> dict[str, tuple[int | str, Value]]:
    """Return the arguments of a call by the names of the parameters, with their position or name."""
    names = [p.name for p in inspect.signature(forward).parameters.values() if is_named(p)]
    pairs = [
        (names[key] if isinstance(key, int) and key < len(names) else str(key), key, value)
        for key, value in call.items()
    ]
    return {name: (key, value) for name, key, value in pairs}


def _with_key(
    call: Arguments,
    key: int | str,
    value: dict[str, Value],
    failure: TrialFailure,
    specs: Sequence[TensorSpec],
) -> Iterator[Arguments]:
    """Yield the call with the entry added to a dictionary that a `KeyError` names."""
    is_lacking = failure.type == "KeyError" or "key" in failure.message
    lacking = QUOTED.findall(failure.message) if is_lacking else []
    first = specs[0] if specs else TensorSpec((2, 8, 32))
    for name in dict.fromkeys(lacking):
        for guess in values_of(named_parameter(name), first) if name not in value else ():
            yield call.with_value(key, {**value, name: guess})


def _objects(
    kind: type[nn.Module], name: str, first: TensorSpec, failure: TrialFailure, known: Known
) -> Iterator[CallSpec]:
    """Yield objects of the class that a failure names, or that have the attributes that a tensor lacks."""
    wanted = WANTED_CLASS.search(failure.message)
    if wanted and wanted[1] not in NO_CLASSES:
        package = kind.__module__.partition(".")[0]
        for other in package_classes(package):
            if other.__name__ == wanted[1]:
                yield from object_calls(other, first, known)
    lacking = LACKING.search(failure.message)
    if lacking and lacking[1] not in dir(torch.Tensor):
        attributes = [*dict.fromkeys([lacking[1], *attributes_of_name(kind, name)])]
        attributes = [one for one in attributes if one not in dir(torch.Tensor)]
        for other in classes_with(kind, attributes)[:MOST_CLASSES]:
            if not issubclass(other, nn.Module):
                yield from object_calls(other, first, known)
        entries = {one: next(values_of(named_parameter(one), first)) for one in attributes}
        yield CallSpec(NAMESPACE, (), entries)
