"""Recipes of the classes that other modules of the package build and call."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import torch

from esper_audit.findings.coverage import RecipeOrigin
from esper_audit.findings.errors import FAILURES
from esper_audit.probes.recipes.materialise import build_module, draw_call, import_name
from esper_audit.probes.recipes.recipe_file import plain_recipes, recipes_from_plain
from esper_audit.probes.recording.recipes import stored_recipes
from esper_audit.probes.recording.recorder import Recorder
from esper_audit.probes.recording.signature import Recorded
from esper_audit.probes.subject.determinism import seed_streams


def observe_calls(
    recipes: list[dict[str, Any]], wanted: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Build and call modules that run, and return recipes of the wanted classes inside them."""
    kinds = frozenset(map(import_name, wanted))
    recorded: list[Recorded] = []
    Recorder(lambda kind: kind in kinds, recorded.append).install()
    warnings.simplefilter("ignore")
    for stored in recipes_from_plain(recipes):
        seed_streams(0)
        # A module is foreign code and may raise anything.
        with contextlib.suppress(*FAILURES), torch.no_grad():
            module = build_module(stored.recipe).eval()
            args, kwargs = draw_call(stored.recipe)
            module(*args, **kwargs)
    found = stored_recipes((r for r in recorded if not r.reason), RecipeOrigin.CALL_SITE)
    return {target: plain_recipes(known) for target, known in found.items()}
