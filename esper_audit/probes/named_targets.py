"""What the names on the command line mean: a path, else a declared subject, else an importable package."""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

import msgspec

from esper_audit.findings.errors import UsageError
from esper_audit.probes.discovery.targets import Target, target_of_package, target_of_path
from esper_audit.probes.session import ProbeRequest, Session, require_torch
from esper_audit.project.config import Project
from esper_audit.project.workers.interruption import Interruption


def resolve_names(
    names: Sequence[str],
    project: Project,
    request: ProbeRequest,
    interruption: Interruption | None = None,
) -> tuple[dict[str, Target], list[str]]:
    """Return the targets of discovery, and the names of declared subjects and subjects files.

    Raise UsageError for a name that is nothing, with the nearest path, subject and package, and Interrupted
    where the run is to end early.
    """
    paths = [name for name in names if os.path.exists(name)]
    others = [name for name in names if name not in paths]
    undecided = [name for name in others if ":" not in name]
    declared = _declared_names(project, request, interruption) if undecided else frozenset()
    subjects = [
        name
        for name in others
        if name not in undecided or any(fnmatchcase(one, name) for one in declared)
    ]
    packages: dict[str, Target] = {}
    for name in others:
        if name not in subjects:
            packages[name] = _package(name, project, declared)
    return {**{name: target_of_path(name) for name in paths}, **packages}, subjects


def find_targets(names: Iterable[str], project: Project) -> dict[str, Target]:
    """Return the target of each configured name: a path, else an importable package.

    Raise UsageError for a name that is neither.
    """
    return {
        name: target_of_path(name) if os.path.exists(name) else _package(name, project, ())
        for name in names
    }


def _declared_names(
    project: Project, request: ProbeRequest, interruption: Interruption | None
) -> frozenset[str]:
    """Return the names of the declared subjects and of their units."""
    if not project.config.subjects:
        return frozenset()
    require_torch()
    every = msgspec.structs.replace(request, subjects=[])
    with Session(project, every, interruption) as session:
        collected, _ = session.collect()
    units = [unit for found in collected.values() for unit in found.units]
    return frozenset(
        name for unit in units for name in (unit.subject, f"{unit.subject}@{unit.state}", unit.id)
    )


def _package(name: str, project: Project, declared: Iterable[str]) -> Target:
    if all(part.isidentifier() for part in name.split(".")):
        target = target_of_package(name, (project.root, os.getcwd()))
        if target is not None:
            return target
    beside = os.path.dirname(name) or "."
    paths = sorted(os.listdir(beside)) if os.path.isdir(beside) else []
    top = name.partition(".")[0]
    packages = [
        module.name for module in pkgutil.iter_modules([project.root, os.getcwd(), *sys.path])
    ]
    near = [
        f"{kind} '{close[0]}'"
        for kind, known, word in (
            ("path", paths, os.path.basename(name)),
            ("subject", sorted(declared), name),
            ("package", packages, top),
        )
        if (close := get_close_matches(word, known, n=1))
    ]
    nearest = f" (nearest: {', '.join(near)})" if near else ""
    raise UsageError(f"'{name}' is no path, declared subject or importable package{nearest}")
