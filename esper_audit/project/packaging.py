"""The entry points of a project: scripts and plugins, which no code of the project calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from esper_audit.project.config import PROJECT_FILE
from esper_audit.project.toml_file import parse_toml

SCRIPTS = ("scripts", "gui-scripts")


def entry_points(root: str) -> frozenset[str]:
    """Return the dotted names of the scripts and plugins in `pyproject.toml`."""
    project = project_table(root)
    plugins = project.get("entry-points")
    groups = list(plugins.values()) if isinstance(plugins, dict) else []
    return scripts(root) | _dotted_names(groups)


def scripts(root: str) -> frozenset[str]:
    """Return the dotted names of the scripts in `pyproject.toml`.

    A project with scripts is an application.
    """
    project = project_table(root)
    return _dotted_names([project.get(group) for group in SCRIPTS])


def project_table(root: str) -> dict[str, Any]:
    """Return the table `[project]` of `pyproject.toml`, empty where there is none."""
    try:
        with open(os.path.join(root, PROJECT_FILE), "rb") as file:
            project = parse_toml(file.read().decode()).get("project", {})
    except (OSError, ValueError, RecursionError):
        return {}  # without readable packaging there are no entry points
    return project if isinstance(project, dict) else {}


def _dotted_names(groups: list[Any]) -> frozenset[str]:
    return frozenset(
        text.partition("[")[0].strip().replace(":", ".") for text in _entry_texts(groups)
    )


def _entry_texts(groups: list[Any]) -> Iterator[str]:
    for group in groups:
        if isinstance(group, dict):
            yield from (text for text in group.values() if isinstance(text, str))
