"""Recipes from calls in source text: code, tests, examples, and the code blocks of docstrings and of a README."""

from __future__ import annotations

import ast
import contextlib
import importlib.metadata
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from esper_audit.probes.recipes.recipe_file import StoredRecipe, plain_recipes
from esper_audit.probes.recipes.smaller_recipe import smaller_recipe
from esper_audit.probes.source_calls.source_reader import recipes_in_text
from esper_audit.probes.subject.class_source import text_of_file

FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^[ \t]*(?:>>>|\.\.\.) ?(.*)$", re.MULTILINE)
MOST_SITES = 4  # of a class


def find_call_sites(
    modules: list[str], texts: list[str], wanted: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the recipes of wanted classes in imported modules, in other files, and in their READMEs."""
    found: list[StoredRecipe] = []
    for module in filter(None, map(sys.modules.get, modules)):
        found += _in_python(text_of_file(inspect.getsourcefile(module) or ""), vars(module))
    for path in texts:
        text = text_of_file(path)
        found += _in_python(text, {}) if path.endswith(".py") else recipes_in_prose(text, {})
    for package in sorted({name.partition(".")[0] for name in modules}):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found += recipes_in_prose(
                importlib.metadata.distribution(package).read_text("METADATA") or "", {}
            )
    known = {target: [one for one in found if one.recipe.target == target] for target in wanted}
    return {target: plain_recipes(_likeliest(sites)) for target, sites in known.items() if sites}


def _likeliest(sites: list[StoredRecipe]) -> list[StoredRecipe]:
    """Return the first few call sites, those that show a call before, each made small before."""
    ordered = sorted(sites, key=lambda one: not one.has_call)
    variants = [
        variant
        for one in ordered
        for variant in (replace(one, recipe=smaller_recipe(one.recipe)), one)
    ]
    distinct = {repr((one.recipe.build, one.recipe.call)): one for one in variants}
    return [*distinct.values()][:MOST_SITES]


def _in_python(text: str, objects: Mapping[str, Any]) -> Iterator[StoredRecipe]:
    yield from recipes_in_text(text, objects)
    for docstring in docstrings_in(text):
        yield from recipes_in_prose(docstring, objects)


def recipes_in_prose(text: str, objects: Mapping[str, Any]) -> Iterator[StoredRecipe]:
    """Yield the recipes of the code blocks of a docstring or a README."""
    for block in FENCE.findall(text):
        yield from recipes_in_text(textwrap.dedent(block), objects)
    prompted = PROMPT.findall(text)
    if prompted:
        yield from recipes_in_text("\n".join(prompted), objects)


def docstrings_in(text: str) -> Iterator[str]:
    """Yield the docstrings of a Python text that hold code."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            found = ast.get_docstring(node) or ""
            if ">>>" in found or "```" in found:
                yield found
