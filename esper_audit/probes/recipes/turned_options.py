"""A subject under each option of its constructor that is on or off."""

from __future__ import annotations

import inspect
from dataclasses import replace
from itertools import islice

from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.subject import Discovered, subject_by_recipe
from esper_audit.probes.recipes.values import Value

MOST_OPTIONS = 8


def turned_options(subject: Discovered, most: int = MOST_OPTIONS) -> dict[str, Discovered]:
    """Return the subject with each option that is on or off turned, and with as many outputs as inputs.

    Each stands under the text of its argument. There are at most so many.
    """
    recipe = subject.recipe
    if recipe.is_function:
        return {}
    built = recipe.build.kwargs
    changes: dict[str, Value] = {
        name: built[f"in_{name[4:]}"]
        for name, value in built.items()
        if name.startswith("out_") and built.get(f"in_{name[4:]}", value) != value
    }
    parameters = inspect.signature(import_name(recipe.target)).parameters.values()
    keywords = [p for p in parameters if p.kind is not inspect.Parameter.POSITIONAL_ONLY]
    for one in keywords[len(recipe.build.args) :]:
        if isinstance(built.get(one.name, one.default), bool):
            changes[one.name] = not built.get(one.name, one.default)
    builds = {f"{n}={v}": recipe.build.with_value(n, v) for n, v in changes.items()}
    return {
        text: subject_by_recipe(replace(recipe, build=build))
        for text, build in islice(builds.items(), most)
    }
