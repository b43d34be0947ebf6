"""A recipe of a full model made small: fewer layers, narrower features, two samples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.recipe_file import StoredRecipe
from esper_audit.probes.recipes.values import (
    Arguments,
    CallSpec,
    TensorSpec,
    TupleSpec,
    Value,
    map_arguments,
)

DEPTH = re.compile(r"(.*_)?(depth|n_?layers?|num_(layers|blocks)|layers)", re.IGNORECASE)
WIDTH = re.compile(
    r"(.*_)?(dim|dims|width|hidden_size|hidden|channels|features|n_embd|d_model|planes|embed)",
    re.IGNORECASE,
)
FEW_LAYERS = 2
WIDE = 256
NARROWER = 8
Change = Callable[[str, int], int]


def smaller_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe with fewer layers, and with widths and the axes that have them divided."""
    named = list(_named_numbers(recipe.build))
    others = {number for name, number in named if not WIDTH.fullmatch(name)}
    wide = {number for name, number in named if WIDTH.fullmatch(name) and number >= WIDE}
    narrow = {number: number // NARROWER for number in wide - others}

    def change(name: str, number: int) -> int:
        if DEPTH.fullmatch(name):
            return min(number, FEW_LAYERS)
        return narrow.get(number, number) if WIDTH.fullmatch(name) else number

    def reshape(spec: TensorSpec) -> TensorSpec:
        return replace(spec, shape=tuple(narrow.get(side, side) for side in spec.shape))

    build = _changed_arguments(recipe.build, change)
    small = replace(recipe, build=build, call=map_arguments(recipe.call, reshape))
    return small.resized(0, 1, 2)


def full_recipe(recipe: Recipe, known: Iterable[StoredRecipe]) -> Recipe | None:
    """Return the known recipe that a recipe was made small from, None if there is none."""
    for one in known:
        small = smaller_recipe(one.recipe)
        call = one.recipe.call if one.has_call else recipe.call
        is_other = one.recipe.build != recipe.build and small.build == recipe.build
        if is_other and (small.call == recipe.call or not one.has_call):
            return replace(recipe, build=one.recipe.build, call=call)
    return None


def _named_numbers(arguments: Arguments | CallSpec) -> Iterator[tuple[str, int]]:
    """Yield the whole numbers among arguments and those of nested calls, with the names they have."""
    for value in arguments.args:
        yield from _numbers_in(value, "")
    for key, value in arguments.kwargs.items():
        yield from _numbers_in(value, key)


def _numbers_in(value: Value, name: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, CallSpec):
        yield from _named_numbers(value)
    elif isinstance(value, (list, TupleSpec)):
        for item in value.items if isinstance(value, TupleSpec) else value:
            yield from _numbers_in(item, name)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield name, value


def _changed_arguments(arguments: Arguments, change: Change) -> Arguments:
    return Arguments(
        tuple(_changed(value, "", change) for value in arguments.args),
        {name: _changed(value, str(name), change) for name, value in arguments.kwargs.items()},
    )


def _changed(value: Value, name: str, change: Change) -> Value:
    if isinstance(value, CallSpec):
        inner = _changed_arguments(Arguments(value.args, value.kwargs), change)
        return replace(value, args=inner.args, kwargs=inner.kwargs)
    if isinstance(value, TupleSpec):
        return TupleSpec(tuple(_changed(item, name, change) for item in value.items))
    if isinstance(value, list):
        return [_changed(item, name, change) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return change(name, value)
    return value
