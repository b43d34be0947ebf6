"""Checks that a PyTorch code base keeps its contracts.

The names that a rule is written with.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would cost every command its time
if TYPE_CHECKING:
    from esper_audit.findings.finding import Category as Category
    from esper_audit.findings.finding import Confidence as Confidence
    from esper_audit.findings.finding import NotAnalysed as NotAnalysed
    from esper_audit.findings.finding import Severity as Severity
    from esper_audit.findings.finding import TreeViolation as TreeViolation
    from esper_audit.project.file_roles import EVERY_ROLE as EVERY_ROLE
    from esper_audit.project.file_roles import OUTSIDE_TESTS as OUTSIDE_TESTS
    from esper_audit.project.file_roles import Role as Role
    from esper_audit.rules.rule import CstRule as CstRule
    from esper_audit.rules.rule import Invalid as Invalid
    from esper_audit.rules.rule import Options as Options
    from esper_audit.rules.rule import Reach as Reach
    from esper_audit.rules.rule import Replacement as Replacement
    from esper_audit.rules.rule import Rule as Rule
    from esper_audit.rules.rule import Triggers as Triggers
    from esper_audit.rules.rule import Valid as Valid
    from esper_audit.rules.rule import Violation as Violation
    from esper_audit.rules.tree_rule import InvalidTree as InvalidTree
    from esper_audit.rules.tree_rule import TreeRule as TreeRule
    from esper_audit.rules.tree_rule import ValidTree as ValidTree
    from esper_audit.source.facts.records import DefinitionKind as DefinitionKind
    from esper_audit.source.index.records import Symbol as Symbol
    from esper_audit.source.syntax import cst as cst
    from esper_audit.source.syntax.file_view import FileView as FileView
    from esper_audit.source.syntax.node_view import View as View
    from esper_audit.source.usage.tree import Tree as Tree

HOMES = {
    "cst": "esper_audit.source.syntax.cst",
    "Category": "esper_audit.findings.finding",
    "Confidence": "esper_audit.findings.finding",
    "NotAnalysed": "esper_audit.findings.finding",
    "Severity": "esper_audit.findings.finding",
    "TreeViolation": "esper_audit.findings.finding",
    "EVERY_ROLE": "esper_audit.project.file_roles",
    "OUTSIDE_TESTS": "esper_audit.project.file_roles",
    "Role": "esper_audit.project.file_roles",
    "CstRule": "esper_audit.rules.rule",
    "Invalid": "esper_audit.rules.rule",
    "Options": "esper_audit.rules.rule",
    "Reach": "esper_audit.rules.rule",
    "Replacement": "esper_audit.rules.rule",
    "Rule": "esper_audit.rules.rule",
    "Triggers": "esper_audit.rules.rule",
    "Valid": "esper_audit.rules.rule",
    "Violation": "esper_audit.rules.rule",
    "InvalidTree": "esper_audit.rules.tree_rule",
    "TreeRule": "esper_audit.rules.tree_rule",
    "ValidTree": "esper_audit.rules.tree_rule",
    "DefinitionKind": "esper_audit.source.facts.records",
    "Symbol": "esper_audit.source.index.records",
    "FileView": "esper_audit.source.syntax.file_view",
    "View": "esper_audit.source.syntax.node_view",
    "Tree": "esper_audit.source.usage.tree",
}

MODULES = {"cst"}


def __getattr__(name: str) -> object:
    """Import a public name from the room that defines it.

    Raise AttributeError for any other name.
    """
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = import_module(HOMES[name])
    value = home if name in MODULES else vars(home)[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(HOMES)
