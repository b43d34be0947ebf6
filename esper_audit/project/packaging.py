"""What the packaging of a project names as an entry: scripts and plugins, which no code calls."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from typing import Any

from esper_audit.project.config import PROJECT_FILE

SCRIPTS = ("scripts", "gui-scripts")


def entry_points(root: str) -> frozenset[str]:
    """Return the dotted names (`package.name.function`) that `pyproject.toml` offers to run or load."""
    project = _project(root)
    plugins = project.get("entry-points")
    groups = list(plugins.values()) if isinstance(plugins, dict) else []
    return scripts(root) | _targets(groups)


def scripts(root: str) -> frozenset[str]:
    """Return the dotted names that `pyproject.toml` offers to run: who has some is an application."""
    project = _project(root)
    return _targets([project.get(group) for group in SCRIPTS])


def _project(root: str) -> dict[str, Any]:
    try:
        with open(os.path.join(root, PROJECT_FILE), "rb") as file:
            project = tomllib.load(file).get("project", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}  # no packaging, or none that can be read: nothing is offered
    return project if isinstance(project, dict) else {}


def _targets(groups: list[Any]) -> frozenset[str]:
    return frozenset(text.partition("[")[0].strip().replace(":", ".") for text in _named(groups))


def _named(groups: list[Any]) -> Iterator[str]:
    for group in groups:
        if isinstance(group, dict):
            yield from (text for text in group.values() if isinstance(text, str))
