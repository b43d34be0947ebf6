"""The table of the shipped rules and contracts, cached so that a check imports only the rules that it runs.

The table is to the rules what byte code is to a module: it is made from them, it is used whenever it
fits this version of the package, and made anew where it does not.
"""

from __future__ import annotations

from functools import cache

import msgspec

from esper_audit.findings.contract import Contract, load_contracts
from esper_audit.findings.errors import RuleLoadError
from esper_audit.project.content_cache import ContentCache
from esper_audit.project.engine_fingerprint import package_fingerprint
from esper_audit.project.file_roles import Role
from esper_audit.project.submodules import PACKAGE
from esper_audit.rules.probe_catalogue import shipped_descriptions
from esper_audit.rules.rule import CstRule, FileRule, Rule, Triggers
from esper_audit.rules.rule_modules import (
    FILE_RULES,
    TREE_RULES,
    checks_of,
    declared_contracts,
    import_rule,
    imported_rules,
)
from esper_audit.rules.specification import validate

NAME = "rules"


class RuleSummary(msgspec.Struct, frozen=True):
    """What the selection and the triggers need of a rule that reads one file, before it is imported."""

    id: str
    module: str
    class_name: str
    contract: str
    default: bool
    roles: frozenset[Role]
    authorised_words: frozenset[str]
    triggers: Triggers
    torch_versions: str
    python_versions: str

    @classmethod
    def of(cls, rule: type[FileRule]) -> RuleSummary:
        """Validate a rule, and return its summary."""
        validate(rule, Rule if issubclass(rule, Rule) else CstRule)
        return cls(
            rule.id,
            rule.__module__,
            rule.__name__,
            rule.contract,
            rule.default,
            rule.roles,
            rule.authorised_words,
            rule().triggers,
            rule.torch_versions,
            rule.python_versions,
        )

    def load(self) -> type[FileRule]:
        """Import the rule of this package that the summary is about."""
        found: type[FileRule] = vars(import_rule(self.module))[self.class_name]
        return found


class RuleTable(msgspec.Struct, frozen=True):
    """The shipped rules that read one file, the contracts of the other shipped checks by id, and all contracts."""

    rules: list[RuleSummary]
    tree_contracts: dict[str, str]
    probe_contracts: dict[str, str]
    contracts: list[Contract]


@cache
def shipped_table() -> RuleTable:
    """Return the table of this package, from the cache where it fits.

    Raises:
        RuleLoadError: a rule does not load.
    """
    known = ContentCache(PACKAGE, NAME, package_fingerprint(), RuleTable)
    table = known.get(NAME, b"")
    if table is None:
        table = _read_table()
        known.put(NAME, b"", table)
        known.save()
    return table


def shipped_contracts() -> dict[str, Contract]:
    """Return the contracts of this package by id, in file order."""
    return {contract.id: contract for contract in shipped_table().contracts}


def _read_table() -> RuleTable:
    """Import every rule that reads one file, and return the table of all."""
    checks = [check for module in imported_rules(FILE_RULES) for check in checks_of(module)]
    for check in checks:
        if not issubclass(check, FileRule):
            raise RuleLoadError(f"rule {check.id} reads the whole tree. Move it to {TREE_RULES}.")
    summaries = [RuleSummary.of(check) for check in checks if issubclass(check, FileRule)]
    return RuleTable(
        summaries,
        declared_contracts(TREE_RULES),
        {check.id: check.contract for check in shipped_descriptions().values()},
        list(load_contracts().values()),
    )
