"""A subject by a recipe: a module of any constructor, called with any tree of arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from esper_audit.probes.recipes.materialise import CallArguments, build_module, draw_call
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.subject.determinism import seed_streams
from esper_audit.probes.subject.modes import switch_mode
from esper_audit.probes.subject.subject import BIRTH, Subject, as_born


@dataclass(frozen=True, kw_only=True)
class Discovered(Subject):
    """A module that a recipe builds and calls.

    `place` is the path and lines of its class, as `definition_places` would find them.
    """

    recipe: Recipe

    def arguments_of_call(self, seed: int = 0) -> CallArguments:
        """Return new arguments of a call, drawn under a seed."""
        return draw_call(self.recipe, seed)

    def run(self, module: nn.Module, call: CallArguments, stream: int = 0) -> Any:
        """Return the output of a call under a seed of the random streams."""
        seed_streams(stream)
        return module(*call[0], **call[1])

    def evaluate(self, module: nn.Module, call: CallArguments, stream: int = 0) -> Any:
        """Return the output of a call in eval mode without gradients."""
        switch_mode(module, training=False)
        with torch.no_grad():
            return self.run(module, call, stream)


def subject_by_recipe(recipe: Recipe) -> Discovered:
    """Return the subject that a recipe describes."""
    build: Callable[[], nn.Module] = lambda: build_module(recipe)  # noqa: E731 - a factory, typed in place
    return Discovered(name=recipe.dotted_name, build=build, recipe=recipe, states={BIRTH: as_born})
