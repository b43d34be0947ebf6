"""Discover the rules of this package, of installed plugins and of the configured files."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType

from esper_audit.findings.errors import FAILURES, EsperAuditError, RuleLoadError
from esper_audit.project.plugins import entry_points_of
from esper_audit.rules.case_validation import validate_cases
from esper_audit.rules.rule import FileRule
from esper_audit.rules.rule_modules import (
    TREE_RULES,
    checks_of,
    import_module,
    imported_rules,
)
from esper_audit.rules.rule_table import RuleSummary, shipped_table
from esper_audit.rules.specification import validate
from esper_audit.rules.tree_rule import TreeRule

ENTRY_POINT_GROUP = "esper_audit.rules"
LOCAL_RULES = "esper_audit.local_rules"


def discover(local_files: Iterable[str] = ()) -> dict[str, type[FileRule]]:
    """Return the rules that read one file, by id, sorted.

    Raises:
        RuleLoadError: a rule does not load.
    """
    return RuleRegistry(local_files).rules


class RuleRegistry:
    """All rules, those of this package known by the rule table and imported at their first use.

    `foreign_ids` are the rules of plugins and of the configured files.
    """

    def __init__(self, local_files: Iterable[str] = ()) -> None:
        self._foreign: dict[str, type[FileRule]] = {}
        self._foreign_tree_rules: dict[str, type[TreeRule]] = {}
        self.foreign_ids: set[str] = set()
        table = shipped_table()
        self.summaries: dict[str, RuleSummary] = {}
        for summary in table.rules:
            self._add_summary(summary)
        for module in _foreign_modules(local_files):
            for check in checks_of(module):
                self._add(check)
                self.foreign_ids.add(check.id)
                validate_cases(check)  # tests run those of this package
        self.summaries = dict(sorted(self.summaries.items()))
        foreign = {check: rule.contract for check, rule in self._foreign_tree_rules.items()}
        self.tree_contracts = {**table.tree_contracts, **foreign}
        self.tree_ids = sorted(self.tree_contracts)

    def rule(self, check_id: str) -> type[FileRule]:
        """Return a rule that reads one file, imported now if it is of this package.

        Raises:
            RuleLoadError: it does not load.
        """
        return self._foreign.get(check_id) or self.summaries[check_id].load()

    @cached_property
    def rules(self) -> dict[str, type[FileRule]]:
        """The rules that read one file, by id, sorted, all of them imported."""
        return {check_id: self.rule(check_id) for check_id in self.summaries}

    @cached_property
    def tree_rules(self) -> dict[str, type[TreeRule]]:
        """The rules that read the whole tree, by id, sorted."""
        found = dict(self._foreign_tree_rules)
        for module in imported_rules(TREE_RULES):
            for check in checks_of(module):
                assert issubclass(check, TreeRule), check
                _add_tree_rule(found, check)
        return dict(sorted(found.items()))

    def _add(self, check: type[FileRule] | type[TreeRule]) -> None:
        """Add a rule that is not of this package."""
        if not issubclass(check, FileRule):
            _add_tree_rule(self._foreign_tree_rules, check)
        elif self._foreign.get(check.id) is not check:
            self._add_summary(RuleSummary.of(check))
            self._foreign[check.id] = check

    def _add_summary(self, summary: RuleSummary) -> None:
        if summary.id in self.summaries:
            raise _duplicate(summary.id, self.summaries[summary.id].module, summary.module)
        self.summaries[summary.id] = summary


def _add_tree_rule(found: dict[str, type[TreeRule]], check: type[TreeRule]) -> None:
    validate(check, TreeRule)
    known = found.get(check.id)
    if known is not None and known is not check:
        raise _duplicate(check.id, known.__module__, check.__module__)
    found[check.id] = check


def _duplicate(check_id: str, known: str, module: str) -> RuleLoadError:
    return RuleLoadError(f"rule {check_id} is defined in {known} and in {module}; rename one")


def _foreign_modules(local_files: Iterable[str]) -> Iterator[ModuleType]:
    """Import the modules of rules that are not of this package."""
    yield from _plugin_modules()
    for path in local_files:
        yield _load_file(path)


def _plugin_modules() -> Iterator[ModuleType]:
    """Import the modules that installed packages offer."""
    for entry_point in entry_points_of(ENTRY_POINT_GROUP):
        yield import_module(f"plugin {entry_point.name}", entry_point.module)


def local_module(path: str) -> str:
    """Return the name under which a local file of rules is imported."""
    return f"{LOCAL_RULES}.{os.path.basename(path).removesuffix('.py')}"


def _load_file(path: str) -> ModuleType:
    name = local_module(path)
    spec = importlib.util.spec_from_file_location(name, path, loader=_FreshSource(name, path))
    is_source = path.endswith(".py") and os.path.isfile(path)
    if spec is None or spec.loader is None or not is_source:
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


class _FreshSource(SourceFileLoader):
    """The loader of a file that is compiled at each import.

    Byte code counts as current for a source of the same size and second, so that it would hide an edit.
    """

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the file as it is."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)
