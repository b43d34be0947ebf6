"""What the packaging of a project names as an entry: scripts and plugins, which no code calls."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from typing import Any

from esper_audit.config import PROJECT_FILE


def entry_points(root: str) -> frozenset[str]:
    """Return the dotted names (`package.module.function`) that `pyproject.toml` offers to run or load."""
    try:
        with open(os.path.join(root, PROJECT_FILE), "rb") as file:
            project = tomllib.load(file).get("project", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return frozenset()  # no packaging, or none that can be read: nothing is offered
    named = list(_named(project)) if isinstance(project, dict) else []
    return frozenset(text.partition("[")[0].strip().replace(":", ".") for text in named)


def _named(project: dict[str, Any]) -> Iterator[str]:
    groups = [project.get("scripts"), project.get("gui-scripts")]
    plugins = project.get("entry-points")
    groups += plugins.values() if isinstance(plugins, dict) else []
    for group in groups:
        if isinstance(group, dict):
            yield from (text for text in group.values() if isinstance(text, str))
