"""Descriptions of the probes, read from their source so that lists and reports need no torch."""

from __future__ import annotations

import ast
import functools
import importlib.util
import os
from collections.abc import Mapping

from esper_audit.findings.errors import FAILURES, RuleLoadError
from esper_audit.findings.finding import Category, Severity
from esper_audit.project.plugins import entry_points_of
from esper_audit.project.submodules import PACKAGE, submodules
from esper_audit.rules.rule import Check

PROBES = "esper_audit.probes.catalogue"
ENTRY_POINT_GROUP = "esper_audit.probes"
DESCRIBED = ("Probe", "UniversalProbe", "Monitor")


class ProbeDescription(Check):
    """The contract and documentation of a probe or a monitor, which cannot be run."""


def probe_modules() -> list[str]:
    """Return the dotted names of the modules in the catalogue of probes, then those of plugins."""
    return [*submodules(PROBES), *plugin_modules()]


def plugin_modules() -> list[str]:
    """Return the dotted names of the modules of probes that installed packages offer."""
    return [entry_point.module for entry_point in entry_points_of(ENTRY_POINT_GROUP)]


def universal_modules() -> list[str]:
    """Return the dotted names of the probes of universal contracts, which import no compiler."""
    return [name for name in probe_modules() if "(UniversalProbe)" in probe_source(name)]


def probe_descriptions() -> dict[str, type[Check]]:
    """Return the description of every probe by its id, which is the name of its file with dashes."""
    return {**shipped_descriptions(), **{one.id: one for one in map(describe, plugin_modules())}}


@functools.cache
def shipped_descriptions() -> Mapping[str, type[Check]]:
    """Return the description of every probe of this package by its id."""
    return {description.id: description for description in map(describe, submodules(PROBES))}


def describe(module: str) -> type[Check]:
    """Return the description of the probe or monitor in a module."""
    tree = ast.parse(probe_source(module))
    probe = next((node for node in tree.body if _is_described(node)), None)
    if probe is None:
        raise RuleLoadError(f"probe {module} does not load: it defines no subclass of Probe")
    assert isinstance(probe, ast.ClassDef)
    assigned = {
        node.targets[0].id: node.value
        for node in probe.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return type(
        probe.name,
        (ProbeDescription,),
        {
            "__doc__": ast.get_docstring(probe),
            "__module__": module,
            "contract": ast.literal_eval(assigned["contract"]),
            "category": Category[_member(assigned["category"])],
            "severity": Severity[_member(assigned["severity"])],
        },
    )


def probe_source(module: str) -> str:
    """Return the text of the module of a probe or monitor."""
    path = f"{os.path.join(os.path.dirname(PACKAGE), *module.split('.'))}.py"
    if not os.path.isfile(path):
        path = _path_of_plugin(module)
    with open(path, encoding="utf-8") as file:
        return file.read()


def _path_of_plugin(module: str) -> str:
    """Return the file of a module of an installed package, whose outer packages are imported."""
    try:
        spec = importlib.util.find_spec(module)
    except FAILURES as error:
        raise RuleLoadError(
            f"probe {module} does not load: {type(error).__name__}: {error}"
        ) from error
    if spec is None or not spec.origin:
        raise RuleLoadError(f"probe {module} does not load: no such module")
    return spec.origin


def _is_described(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        ast.unparse(base.value if isinstance(base, ast.Subscript) else base) in DESCRIBED
        for base in node.bases
    )


def _member(value: ast.expr) -> str:
    assert isinstance(value, ast.Attribute)
    return value.attr
