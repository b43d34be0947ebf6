"""Subjects by recipe for tests: a class of a test file, its constructor's arguments, the arguments of a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from esper_audit.findings.coverage import RecipeOrigin
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.subject import Discovered, subject_by_recipe
from esper_audit.probes.recipes.values import Arguments, NameSpec, TensorSpec, Value

ROWS = TensorSpec((3, 8))
IDENTITY, RELU = NameSpec("torch.nn:Identity"), NameSpec("torch.nn:ReLU")
PAIRS = TensorSpec((2, 8))
SEQUENCES = TensorSpec((2, 6, 8))
PICTURES = TensorSpec((2, 4, 8, 8))
LONG = TensorSpec((2, 12, 8))
SIGNALS = TensorSpec((2, 8, 12))
IDS = TensorSpec((2, 6), "int64", 0, 10)
SHORT = TensorSpec((4, 3, 8))
STATE = TensorSpec((1, 2, 8))
TIME_FIRST = TensorSpec((6, 2, 8))
NUMBERS = TensorSpec((3, 1), "int64", 0, 3)
MASK = TensorSpec((2, 6), "bool")
FLOAT_MASK = TensorSpec((2, 6), "float32", 0.0, 1.0)
SHORT_LENGTHS = TensorSpec((4,), "int64", 3, 4)
LENGTHS = TensorSpec((2,), "int64", 6, 7)
COMPLEX = TensorSpec((3, 8), "complex64")
RATIOS = TensorSpec((2,), "float32", 1.0, 1.0)


def recipe_of(kind: type[nn.Module], *call: Value, **build: Value) -> Recipe:
    target = f"{kind.__module__}:{kind.__qualname__}"
    return Recipe(target, Arguments((), build), Arguments(call or (ROWS,)))


def discovered(kind: type[nn.Module], *call: Value, **build: Value) -> Discovered:
    """Return the subject that builds a class and calls it with `call`, rows of eight features by default."""
    return subject_by_recipe(recipe_of(kind, *call, **build))


def recorded(kind: type[nn.Module], *call: Value, **build: Value) -> Discovered:
    """Return the subject by a recipe of a recording, whose shapes are no guesses."""
    return subject_by_recipe(replace(recipe_of(kind, *call, **build), origin=RecipeOrigin.RECORDED))


def discovered_function(function: Callable[..., object], *call: Value) -> Discovered:
    """Return the subject that calls a function of tensors."""
    target = f"{function.__module__}:{function.__qualname__}"
    return subject_by_recipe(Recipe(target, call=Arguments(call), is_function=True))
