"""Reproducers in plain PyTorch: a program that builds, calls, compares, and fails by an assertion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.source_text import RecipeText, recipe_text


def program(
    recipe: Recipe,
    body: Sequence[str],
    *,
    mode: str = "eval",
    imports: Sequence[str] = (),
    inputs: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return a program: the module as `module` in a mode, its inputs, then the lines of the body.

    In the body `CALL` is the arguments of the call, `OTHER_CALL` the same drawn anew, and `BUILD` the
    construction of the module. A function is called by its own name. `inputs` are the expressions of
    variables that it does not draw.
    """
    text = recipe_text(recipe)
    drawn = [(line.partition(" = ")[0], line) for line in text.inputs]
    construct = f"module = {text.construct}" + (f".{mode}()" if mode else "")
    built = [*text.arguments, construct]
    if recipe.is_function:
        built, body = [], [line.replace("module(CALL)", f"{text.construct}(CALL)") for line in body]
    lines = [
        *sorted({"import torch", *text.imports, *imports}, key=_import_order),
        *(f"\n\n{definition}\n" for definition in text.definitions),
        "",
        "torch.manual_seed(0)",
        *built,
        *(f"{name} = {inputs[name]}" if name in inputs else line for name, line in drawn),
        *(with_recipe(line, text) for line in body),
    ]
    return "\n".join(lines) + "\n"


def with_recipe(line: str, text: RecipeText) -> str:
    """Return a line with the call and the construction filled in."""
    line = line.replace("OTHER_CALL", text.other_call)
    return line.replace("BUILD", text.construct).replace("CALL", text.call)


def _import_order(line: str) -> tuple[bool, bool, str]:
    """Return the order of a line of imports: torch first, then names of torch, then the others."""
    return (line != "import torch", "torch" not in line.split()[1], line)
