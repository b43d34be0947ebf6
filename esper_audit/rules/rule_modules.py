"""Listing and importing the modules of the shipped rules, and finding the checks that a module defines."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from types import ModuleType

from esper_audit.findings.errors import FAILURES, RuleLoadError
from esper_audit.project.submodules import PACKAGE, last_part, submodules
from esper_audit.rules.rule import FileRule
from esper_audit.rules.tree_rule import TreeRule

CONTRACT = re.compile(r'^    contract = "([^"]+)"$', re.MULTILINE)
CASES_SUFFIX = "_cases"
FILE_RULES, TREE_RULES = "esper_audit.rules.file", "esper_audit.rules.tree"


def imported_rules(shelf: str) -> Iterator[ModuleType]:
    """Import every rule module of a shelf."""
    for module in rule_modules(shelf):
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


def declared_contracts(shelf: str) -> dict[str, str]:
    """Return the contract of each rule on a shelf by its id, read from the source of the rules.

    Raises:
        RuleLoadError: a rule does not state its contract as a string.
    """
    contracts: dict[str, str] = {}
    for module in rule_modules(shelf):
        path = os.path.join(os.path.dirname(PACKAGE), *module.split("."))
        with open(f"{path}.py", encoding="utf-8") as file:
            declared = CONTRACT.search(file.read())
        if declared is None:
            raise RuleLoadError(f"{path}.py states no `contract` as a string")
        contracts[last_part(module).replace("_", "-")] = declared[1]
    return contracts


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


def rule_modules(shelf: str) -> list[str]:
    """Return the dotted names of a shelf's rules, without the modules of long cases beside them."""
    return [module for module in submodules(shelf) if not module.endswith(CASES_SUFFIX)]
