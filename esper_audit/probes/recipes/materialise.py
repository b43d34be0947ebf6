"""Objects from the values of a recipe: tensors are drawn, names imported, calls made."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from functools import reduce
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from esper_audit.probes.recipes.local_definitions import is_local, made_again
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.values import (
    Arguments,
    CallSpec,
    NameSpec,
    TensorSpec,
    TupleSpec,
    Value,
)
from esper_audit.source.modules.module_names import module_of_file

CallArguments = tuple[tuple[Any, ...], dict[str, Any]]


class FunctionModule(nn.Module):
    """A function of tensors as a module without parameters."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the output of the function."""
        return self.function(*args, **kwargs)


def build_module(recipe: Recipe) -> nn.Module:
    """Return a new module by the recipe, whose arguments are the same each time."""
    if recipe.is_function:
        return FunctionModule(import_name(recipe.target))
    args, kwargs = materialise_arguments(recipe.build, torch.Generator().manual_seed(0))
    module: nn.Module = import_name(recipe.target)(*args, **kwargs)
    return module


def draw_call(recipe: Recipe, seed: int = 0) -> CallArguments:
    """Return new arguments of the call, drawn under a seed."""
    return materialise_arguments(recipe.call, torch.Generator().manual_seed(seed))


def materialise_arguments(arguments: Arguments, generator: torch.Generator) -> CallArguments:
    """Return positional and keyword arguments."""
    return (
        tuple(materialise(value, generator) for value in arguments.args),
        {name: materialise(value, generator) for name, value in arguments.kwargs.items()},
    )


def materialise(value: Value, generator: torch.Generator) -> Any:
    """Return the object that a value describes."""
    if isinstance(value, TensorSpec):
        return draw_tensor(value, generator)
    if isinstance(value, NameSpec):
        return _named(value, generator)
    if isinstance(value, CallSpec):
        args, kwargs = materialise_arguments(Arguments(value.args, value.kwargs), generator)
        return _named(value, generator)(*args, **kwargs)
    if isinstance(value, TupleSpec):
        return tuple(materialise(item, generator) for item in value.items)
    if isinstance(value, list):
        return [materialise(item, generator) for item in value]
    if isinstance(value, dict):
        return {key: materialise(item, generator) for key, item in value.items()}
    return value


def _named(value: NameSpec | CallSpec, generator: torch.Generator) -> Any:
    if not is_local(value.path):
        return import_name(value.path)
    given = {name: materialise(item, generator) for name, item in value.given.items()}
    return made_again(imported_module(value.path), value.path.partition(":")[2], given)


def draw_tensor(spec: TensorSpec, generator: torch.Generator) -> Tensor:
    """Return a random tensor by its specification."""
    dtype: torch.dtype = vars(torch)[spec.dtype]
    if dtype is torch.bool:
        share = 1.0 if spec.high is None else spec.high
        return torch.rand(spec.shape, generator=generator) < share
    if not spec.is_floating:
        high = max(int(spec.low) + 1, int(10 if spec.high is None else spec.high))
        return torch.randint(int(spec.low), high, spec.shape, generator=generator, dtype=dtype)
    if dtype.is_complex:
        return torch.randn(spec.shape, generator=generator, dtype=dtype)
    if spec.high is None:
        drawn = torch.randn(spec.shape, generator=generator, dtype=torch.float32)
        return drawn.to(dtype) + spec.low
    drawn = torch.rand(spec.shape, generator=generator, dtype=torch.float32)
    return (drawn * (spec.high - spec.low) + spec.low).to(dtype)


def import_name(path: str) -> Any:
    """Return what `package.module:dotted.name` or, in a file below the root, `tests/test_x.py:dotted.name` names."""
    return reduce(getattr, path.partition(":")[2].split("."), imported_module(path))


def imported_module(path: str) -> ModuleType:
    """Return the module of a name."""
    module = path.partition(":")[0]
    if module.endswith(".py"):
        _allow_neighbours(module)
        module = module_of_file(module)
    return importlib.import_module(module)


def _allow_neighbours(path: str) -> None:
    """Have the modules beside a file importable by their own names, as a runner of tests does, behind all others."""
    for folder in (*sys.path,):
        beside = os.path.dirname(os.path.join(folder, path))
        if os.path.isfile(os.path.join(folder, path)) and beside not in sys.path:
            sys.path.append(beside)
            return
