"""Listing and importing the modules of the shipped rules, and finding the checks that a module defines."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

from esper_audit.findings.errors import FAILURES, RuleLoadError
from esper_audit.project.submodules import last_part, submodules
from esper_audit.rules.rule import FileRule
from esper_audit.rules.tree_rule import TreeRule

CASES_SUFFIX = "_cases"
FILE_RULES, TREE_RULES = "esper_audit.rules.file", "esper_audit.rules.tree"


def imported_rules(shelf: str) -> Iterator[ModuleType]:
    """Import every rule module of a shelf."""
    for module in _rule_modules(shelf):
        yield import_rule(module)


def import_rule(module: str) -> ModuleType:
    """Import the module of a shipped rule."""
    return import_module(f"rule {last_part(module)}.py", module)


def import_module(what: str, module: str) -> ModuleType:
    """Import a module, where `what` names it for the user.

    Raises:
        RuleLoadError: it does not load.
    """
    try:
        return importlib.import_module(module)
    # Whatever a foreign module raises at import is reported as one problem: it does not load.
    except FAILURES as error:
        raise RuleLoadError(f"{what} does not load: {type(error).__name__}: {error}") from error


def ids_in(shelf: str) -> list[str]:
    """Return the ids of the rules on a shelf: their files' names."""
    return [last_part(module).replace("_", "-") for module in _rule_modules(shelf)]


def checks_of(module: ModuleType) -> list[type[FileRule] | type[TreeRule]]:
    """Return the rules that a module defines.

    Raises:
        RuleLoadError: it defines none.
    """
    checks = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, (FileRule, TreeRule))
        and value.__module__ == module.__name__
    ]
    if not checks:
        raise RuleLoadError(
            f"{module.__file__} holds no subclass of esper_audit.rules.rule.Rule or "
            "esper_audit.rules.tree_rule.TreeRule"
        )
    return checks


def _rule_modules(shelf: str) -> list[str]:
    """Return the dotted names of a shelf's rules, without the modules of long cases beside them."""
    return [module for module in submodules(shelf) if not module.endswith(CASES_SUFFIX)]
