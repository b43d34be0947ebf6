"""Discover the rules of this package, of installed plugins and of the configured files."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from types import ModuleType
from typing import TypeVar

from esper_audit.findings.errors import FAILURES, EsperAuditError, RuleLoadError
from esper_audit.project.submodules import last_part, submodules
from esper_audit.rules.case_validation import validate_cases
from esper_audit.rules.rule import Check, CstRule, FileRule, Rule
from esper_audit.rules.specification import validate
from esper_audit.rules.tree_rule import TreeRule

ENTRY_POINT_GROUP = "esper_audit.rules"
LOCAL_RULES = "esper_audit.local_rules"
CASES_SUFFIX = "_cases"
FILE_RULES, TREE_RULES = "esper_audit.rules.file", "esper_audit.rules.tree"


def discover(local_files: Iterable[str] = ()) -> dict[str, type[FileRule]]:
    """Return the rules that read one file, by id, sorted.

    Raises:
        RuleLoadError: a rule does not load.
    """
    return RuleRegistry(local_files).rules


class RuleRegistry:
    """All rules, with the tree rules of this package known by id and imported at their first use."""

    def __init__(self, local_files: Iterable[str] = ()) -> None:
        self.rules: dict[str, type[FileRule]] = {}
        self._other_tree_rules: dict[str, type[TreeRule]] = {}
        for module in _imported_rules(FILE_RULES):
            for check in _checks_of(module):
                self._add(check)
        for module in _foreign_modules(local_files):
            for check in _checks_of(module):
                self._add(check)
                validate_cases(check)  # tests run those of this package
        self.rules = dict(sorted(self.rules.items()))
        self.tree_ids = sorted({*_ids_in(TREE_RULES), *self._other_tree_rules})

    @cached_property
    def tree_rules(self) -> dict[str, type[TreeRule]]:
        """The rules that read the whole tree, by id, sorted."""
        found = dict(self._other_tree_rules)
        for module in _imported_rules(TREE_RULES):
            for check in _checks_of(module):
                assert issubclass(check, TreeRule), check
                validate(check, TreeRule)
                _put(found, check)
        return dict(sorted(found.items()))

    def _add(self, check: type[FileRule] | type[TreeRule]) -> None:
        if issubclass(check, FileRule):
            validate(check, Rule if issubclass(check, Rule) else CstRule)
            _put(self.rules, check)
        else:
            validate(check, TreeRule)
            _put(self._other_tree_rules, check)


Found = TypeVar("Found", bound=Check)


def _put(found: dict[str, type[Found]], check: type[Found]) -> None:
    known = found.get(check.id)
    if known is not None and known is not check:
        raise RuleLoadError(
            f"rule {check.id} is defined in {known.__module__} and in {check.__module__}; rename one"
        )
    found[check.id] = check


def _foreign_modules(local_files: Iterable[str]) -> Iterator[ModuleType]:
    """Import the modules of rules that are not of this package."""
    yield from _plugin_modules()
    for path in local_files:
        yield _load_file(path)


def _imported_rules(shelf: str) -> Iterator[ModuleType]:
    for module in _rule_modules(shelf):
        yield _import(f"rule {last_part(module)}.py", module)


def _ids_in(shelf: str) -> list[str]:
    """Return the ids of the rules on a shelf: their files' names."""
    return [last_part(module).replace("_", "-") for module in _rule_modules(shelf)]


def _rule_modules(shelf: str) -> list[str]:
    """Return the dotted names of a shelf's rules, without the modules of long cases beside them."""
    return [module for module in submodules(shelf) if not module.endswith(CASES_SUFFIX)]


def _checks_of(module: ModuleType) -> list[type[FileRule] | type[TreeRule]]:
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


def _plugin_modules() -> Iterator[ModuleType]:
    """Import the modules that installed packages offer, `importlib.metadata` only if there are any."""
    if not any(_offers_rules(directory) for directory in sys.path):
        return
    from importlib.metadata import entry_points

    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        yield _import(f"plugin {entry_point.name}", entry_point.module)


def _offers_rules(directory: str) -> bool:
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return False
    packages = (name for name in names if name.endswith((".dist-info", ".egg-info")))
    return any(_names_our_group(os.path.join(directory, name)) for name in packages)


def _names_our_group(package: str) -> bool:
    try:
        with open(os.path.join(package, "entry_points.txt"), "rb") as file:
            return f"[{ENTRY_POINT_GROUP}]".encode() in file.read()
    except OSError:
        return False


def _import(what: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    # Whatever a foreign module raises at import is reported as one problem: it does not load.
    except FAILURES as error:
        raise RuleLoadError(f"{what} does not load: {type(error).__name__}: {error}") from error


def local_module(path: str) -> str:
    """Return the name under which a local file of rules is imported."""
    return f"{LOCAL_RULES}.{os.path.basename(path).removesuffix('.py')}"


def _load_file(path: str) -> ModuleType:
    name = local_module(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not os.path.isfile(path):
        raise RuleLoadError(f"rule file {path}: no such Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and msgspec look their annotations up there
    try:
        spec.loader.exec_module(module)
    except EsperAuditError:
        raise
    # Whatever a foreign module raises at import is reported as one problem: it does not load.
    except FAILURES as error:
        raise RuleLoadError(
            f"rule file {path} does not load: {type(error).__name__}: {error}"
        ) from error
    return module
