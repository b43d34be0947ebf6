"""The recipes that are known before a search: of the file, of call sites, and from inside modules that run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from esper_audit.probes.discovery.targets import ModuleClass
from esper_audit.probes.recipes.recipe_file import plain_recipes, read_recipes
from esper_audit.probes.sandbox.job_runner import JobRunner
from esper_audit.probes.sandbox.outcome import Job, Returned
from esper_audit.project.config import Project
from esper_audit.project.discovery import Discovery
from esper_audit.project.file_roles import Role, Roles

KnownRecipes: TypeAlias = dict[str, list[dict[str, Any]]]  # plain recipes by class

JOBS = "esper_audit.probes.discovery.jobs"
READMES = ("README.md", "README.rst", "README.txt", "README")
MOST_FILES = 300
OBSERVED_AT_ONCE = 8  # modules in one process


def known_recipes(
    project: Project, sandbox: JobRunner, classes: Sequence[ModuleClass], modules: dict[str, str]
) -> KnownRecipes:
    """Return the recipes of the project's file, declared or edited ones first, then of call sites."""
    known: KnownRecipes = {}
    path = project.resolve(project.config.recipes)
    for stored in sorted(read_recipes(path), key=lambda one: one.is_untouched):
        known.setdefault(stored.recipe.target, []).extend(plain_recipes([stored]))
    arguments: dict[str, object] = {
        "modules": [*modules],
        "texts": _texts(project) if _has_source_in(project, modules) else [],
        "wanted": _targets(classes),
    }
    job = Job("call sites", f"{JOBS}:find_call_sites", arguments)
    _extend(known, sandbox, [job])
    return known


def recipe_sources(project: Project, modules: dict[str, str]) -> list[str]:
    """Return the files beside the modules that known recipes are read from."""
    texts = _texts(project) if _has_source_in(project, modules) else []
    return [project.resolve(project.config.recipes), *texts]


def observed_recipes(
    sandbox: JobRunner, running: Sequence[dict[str, Any]], missing: Iterable[ModuleClass]
) -> KnownRecipes:
    """Return the recipes of missing classes that the modules which run build and call."""
    wanted = _targets(missing)
    known: KnownRecipes = {}
    if wanted:
        starts = range(0, len(running), OBSERVED_AT_ONCE)
        chunks = [running[start : start + OBSERVED_AT_ONCE] for start in starts]
        jobs = [
            Job(f"observed {number}", f"{JOBS}:observe_calls", {"recipes": chunk, "wanted": wanted})
            for number, chunk in enumerate(chunks)
        ]
        _extend(known, sandbox, jobs)
    return known


def _extend(known: KnownRecipes, sandbox: JobRunner, jobs: Sequence[Job]) -> None:
    """Add what jobs return, nothing for one that fails."""
    endings = {outcome.job: outcome.ending for outcome in sandbox.run(jobs)}
    for ending in (endings[job.name] for job in jobs):
        if isinstance(ending, Returned):
            for target, found in msgspec.convert(ending.value, KnownRecipes).items():
                known.setdefault(target, []).extend(found)


def _targets(classes: Iterable[ModuleClass]) -> list[str]:
    return [one.target for one in classes if not one.is_function]


def _has_source_in(project: Project, modules: dict[str, str]) -> bool:
    root = os.path.realpath(project.root) + os.sep
    return any(os.path.realpath(file).startswith(root) for file in modules.values())


def _texts(project: Project) -> list[str]:
    """Return the README, tests and examples of a project."""
    roles = Roles(msgspec.structs.asdict(project.config.roles))
    files = Discovery(project.root).run([project.root]).files
    shown = [file for file in files if roles.of(file) in (Role.TEST, Role.EXAMPLE)]
    readmes = [name for name in READMES if os.path.isfile(project.resolve(name))]
    return [project.resolve(file) for file in [*readmes, *shown[:MOST_FILES]]]
