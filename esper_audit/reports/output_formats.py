"""Which output formats there are, which one a file name asks for, and the reporters of plugins."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import TypeAlias

from esper_audit.findings.audit import Audit
from esper_audit.findings.errors import RuleLoadError, UsageError
from esper_audit.project.plugins import entry_points_of
from esper_audit.project.submodules import last_part, submodules
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.rule_modules import import_module
from esper_audit.text.phrases import did_you_mean

Render: TypeAlias = Callable[[Audit, CheckCatalogue], str]
SHELF = "esper_audit.reports.formats"
ENTRY_POINT_GROUP = "esper_audit.reporters"
FORMAT_OF_SUFFIX = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".md": "markdown",
    ".sarif": "sarif",
    ".txt": "text",
    ".xml": "junit",
}
MARKS_OF_GITLAB = ("codequality", "code-quality", "gitlab")


def shipped_formats() -> list[str]:
    """Return the names of the formats of this package, sorted."""
    return sorted(last_part(module) for module in submodules(SHELF))


def format_of_file(name: str) -> str:
    """Return the format that a file name asks for.

    Raises:
        UsageError: it asks for none.
    """
    base = os.path.basename(name).lower()
    suffix = os.path.splitext(base)[1]
    if suffix == ".json" and any(mark in base for mark in MARKS_OF_GITLAB):
        return "gitlab"
    if base.endswith(".sarif.json"):
        return "sarif"
    if suffix not in FORMAT_OF_SUFFIX:
        known = ", ".join(FORMAT_OF_SUFFIX)
        raise UsageError(
            f"--output-file: unknown ending (got '{name}', expected one of {known}). Add --format."
        )
    return FORMAT_OF_SUFFIX[suffix]


def find_format(name: str) -> Render:
    """Return the function that renders a format, of this package or of a plugin.

    Raises:
        UsageError: there is no such format.
        RuleLoadError: the plugin does not load.
    """
    if name in shipped_formats():
        render: Render = vars(importlib.import_module(f"{SHELF}.{name}"))["render"]
        return render
    plugins = {entry_point.name: entry_point for entry_point in entry_points_of(ENTRY_POINT_GROUP)}
    if name not in plugins:
        known = {*shipped_formats(), *plugins}
        raise UsageError(f"--format: unknown format '{name}'{did_you_mean(name, known)}")
    reporter = import_module(f"reporter {name}", plugins[name].module)
    attribute = plugins[name].attr
    if attribute not in vars(reporter):
        raise RuleLoadError(
            f"reporter {name} does not load: {plugins[name].module} has no {attribute or 'function'}"
        )
    foreign: Render = vars(reporter)[attribute]
    return foreign
