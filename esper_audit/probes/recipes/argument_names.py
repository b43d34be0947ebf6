"""The arguments of a recipe's call by the names that the forward, or the function, has for them."""

from __future__ import annotations

import inspect

from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.values import Arguments, TensorSpec, Value, tensors_in


def forward_parameters(recipe: Recipe) -> list[inspect.Parameter]:
    """Return the parameters of what the recipe calls, without `self`."""
    target = import_name(recipe.target)
    function = target if recipe.is_function else target.forward
    parameters = list(inspect.signature(function).parameters.values())
    return parameters if recipe.is_function else parameters[1:]


def positional_names(recipe: Recipe) -> list[str]:
    """Return the names of the positional arguments of the call, empty for those of `*args`."""
    named = [p.name for p in forward_parameters(recipe) if p.kind is not p.VAR_POSITIONAL]
    count = len(recipe.call.args)
    return [*named, *[""] * count][:count]


def named_arguments(recipe: Recipe) -> list[tuple[str, Value]]:
    """Return the arguments of the call in order, each with its name."""
    positional = zip(positional_names(recipe), recipe.call.args, strict=True)
    return [*positional, *recipe.call.kwargs.items()]


def named_specs(recipe: Recipe) -> list[tuple[str, TensorSpec]]:
    """Return the tensors of the call in order, each with the name of the argument that holds it."""
    return [
        (name, spec)
        for name, value in named_arguments(recipe)
        for spec in tensors_in(Arguments((value,)))
    ]
