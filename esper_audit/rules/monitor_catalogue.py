"""Descriptions of the monitors of training runs, read from their source so that no list needs torch."""

from __future__ import annotations

from functools import cache

from esper_audit.project.submodules import submodules
from esper_audit.rules.probe_catalogue import describe
from esper_audit.rules.rule import Check

MONITORS = "esper_audit.watch.monitors"


def monitor_modules() -> list[str]:
    """Return the dotted names of the modules of the monitors."""
    return submodules(MONITORS)


@cache
def monitor_descriptions() -> dict[str, type[Check]]:
    """Return the description of every monitor by its id, which is the name of its file with dashes."""
    return {found.id: found for found in map(describe, monitor_modules())}
