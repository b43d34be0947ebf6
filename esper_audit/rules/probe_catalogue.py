"""Descriptions of the probes, read from their source so that lists and reports need no torch."""

from __future__ import annotations

import ast
import os

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.submodules import PACKAGE, submodules
from esper_audit.rules.rule import Check

PROBES = "esper_audit.probes.catalogue"
DESCRIBED = ("Probe", "UniversalProbe", "Monitor")


class ProbeDescription(Check):
    """The contract and documentation of a probe or a monitor, which cannot be run."""


def probe_modules() -> list[str]:
    """Return the dotted names of the modules in the catalogue of probes."""
    return submodules(PROBES)


def universal_modules() -> list[str]:
    """Return the dotted names of the probes of universal contracts, which import no compiler."""
    return [name for name in probe_modules() if "(UniversalProbe)" in _source(name)]


def probe_descriptions() -> dict[str, type[Check]]:
    """Return the description of every probe by its id, which is the name of its file with dashes."""
    return {description.id: description for description in map(describe, probe_modules())}


def describe(module: str) -> type[Check]:
    """Return the description of the probe or monitor in a module."""
    tree = ast.parse(_source(module))
    probe = next(node for node in tree.body if _is_described(node))
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


def _source(module: str) -> str:
    path = os.path.join(os.path.dirname(PACKAGE), *module.split("."))
    with open(f"{path}.py", encoding="utf-8") as file:
        return file.read()


def _is_described(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        ast.unparse(base.value if isinstance(base, ast.Subscript) else base) in DESCRIBED
        for base in node.bases
    )


def _member(value: ast.expr) -> str:
    assert isinstance(value, ast.Attribute)
    return value.attr
