"""Recipes of what a command recorded, the cheapest of each class."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

import msgspec

from esper_audit.findings.coverage import RecipeOrigin
from esper_audit.probes.recipes.plain_data import decode_arguments, map_names
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.recipe_file import StoredRecipe
from esper_audit.probes.recipes.values import Arguments
from esper_audit.probes.recording.signature import Recorded, structure_of
from esper_audit.project.file_roles import Role, Roles
from esper_audit.project.import_root import import_root, module_name
from esper_audit.project.installed_files import is_installed

MOST_WRITTEN = 3  # of a class
SCRIPT = "__main__"
IN_FILE = ".py:"  # in a path to what a test or script defines


def recipes_of(
    recorded: Iterable[Recorded], roles: Roles, root: str
) -> dict[str, list[StoredRecipe]]:
    """Return the recipes of each class that tests do not define, with a call where one was recorded."""
    kept = (one for one in recorded if not one.reason and _is_production(one, roles, root))
    located = (_located(one, roles, root) for one in kept)
    return stored_recipes(located, RecipeOrigin.RECORDED)


def stored_recipes(
    recorded: Iterable[Recorded], origin: RecipeOrigin
) -> dict[str, list[StoredRecipe]]:
    """Return the cheapest recipes of each class, in order of the classes."""
    found: dict[str, list[Recorded]] = {}
    for one in recorded:
        found.setdefault(one.target, []).append(one)
    return {target: _chosen(found[target], origin) for target in sorted(found)}


def not_written(
    recorded: Iterable[Recorded], written: Collection[str], roles: Roles, root: str
) -> dict[str, str]:
    """Return the classes that are not among the written ones, with what could not be written down."""
    missing = (one for one in recorded if one.reason and _is_production(one, roles, root))
    return {target: one.reason for one in missing if (target := _target(one)) not in written}


def _located(one: Recorded, roles: Roles, root: str) -> Recorded:
    """Return what was recorded with names of tests and scripts as paths below the root."""
    paths = {module: _relative(file, root) for module, file in one.files.items()}
    named = {module: path for module, path in paths.items() if _is_named(module, path, roles)}

    def renamed(path: str) -> str:
        module, _, name = path.partition(":")
        return f"{named.get(module, module)}:{name}"

    build, call = map_names(one.build, renamed), map_names(one.call, renamed)
    return msgspec.structs.replace(one, target=_target(one), build=build, call=call)


def _target(one: Recorded) -> str:
    """Return the address of a class as it is imported, also if its file was run as a script."""
    module, _, name = one.target.partition(":")
    if module != SCRIPT or not one.file:
        return one.target
    return f"{module_name(one.file, import_root(os.path.dirname(one.file)))}:{name}"


def _is_named(module: str, path: str, roles: Roles) -> bool:
    """Return whether a name is written with its file: one of the project that is a test or was run."""
    is_own = not path.startswith("..") and not is_installed(path)
    return is_own and (module == SCRIPT or roles.of(path) is Role.TEST)


def _relative(file: str, root: str) -> str:
    return os.path.relpath(os.path.realpath(file), os.path.realpath(root)).replace(os.sep, "/")


def _is_production(one: Recorded, roles: Roles, root: str) -> bool:
    path = _relative(one.file, root) if one.file else ""
    return path.startswith("..") or roles.of(path) is Role.PRODUCTION


def _chosen(recorded: list[Recorded], origin: RecipeOrigin) -> list[StoredRecipe]:
    called = [one for one in recorded if one.call is not None]
    ordered = sorted(called or recorded, key=_preference)
    distinct: dict[str, Recorded] = {}
    for one in ordered:
        distinct.setdefault(structure_of(one), one)
    return [_stored(one, origin) for one in [*distinct.values()][:MOST_WRITTEN]]


def _preference(one: Recorded) -> tuple[bool, int, str, str]:
    """Return the order of signatures: parts of tests last, whose faults would be found, then by cost."""
    build, call = repr(one.build), repr(one.call)
    return IN_FILE in build + call, one.cost, build, call


def _stored(one: Recorded, origin: RecipeOrigin) -> StoredRecipe:
    call = Arguments() if one.call is None else decode_arguments(one.call)
    recipe = Recipe(one.target, decode_arguments(one.build), call, origin)
    return StoredRecipe(recipe, has_call=one.call is not None)
