"""Turning on what makes a module causal: an option of its constructor, or of one inside its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace

from esper_audit.probes.recipes.materialise import import_name
from esper_audit.probes.recipes.subject import Discovered, subject_by_recipe
from esper_audit.probes.recipes.values import CallSpec, Value

OPTIONS = ("causal", "is_causal", "use_causal_mask", "causal_mask")


def causal_option(target: str) -> str:
    """Return the option of a constructor that makes a module causal, empty if there is none."""
    parameters = inspect.signature(import_name(target)).parameters
    return next((name for name in parameters if name in OPTIONS), "")


def with_causal_option(subject: Discovered) -> Discovered | None:
    """Return the subject with the causal option of its constructor turned on, None if there is none."""
    option = causal_option(subject.recipe.target)
    if not option:
        return None
    build = subject.recipe.build.with_value(option, True)
    return subject_by_recipe(replace(subject.recipe, build=build))


def with_causal_parts(subject: Discovered) -> Discovered | None:
    """Return the subject with each causal option turned on, also of modules that the constructor is given."""
    causal = with_causal_option(subject) or subject
    kwargs = {name: _with_option(value) for name, value in causal.recipe.build.kwargs.items()}
    args = tuple(map(_with_option, causal.recipe.build.args))
    build = replace(causal.recipe.build, args=args, kwargs=kwargs)
    changed = replace(causal.recipe, build=build)
    return None if changed == subject.recipe else subject_by_recipe(changed)


def _with_option(value: Value) -> Value:
    if not isinstance(value, CallSpec):
        return value
    option = causal_option(value.path)
    kwargs: Mapping[str, Value] = {name: _with_option(item) for name, item in value.kwargs.items()}
    return replace(value, kwargs={**kwargs, option: True} if option else kwargs)
