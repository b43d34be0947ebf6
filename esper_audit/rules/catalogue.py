"""Look up checks and contracts by id for outputs, reading each from disk at its first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from esper_audit.findings.contract import Contract, with_own_contracts
from esper_audit.findings.errors import ContractError
from esper_audit.project.config import Project
from esper_audit.rules.monitor_catalogue import monitor_descriptions
from esper_audit.rules.probe_catalogue import describe, plugin_modules, probe_descriptions
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.rule import Check
from esper_audit.rules.rule_table import shipped_contracts, shipped_table
from esper_audit.rules.suppression.suppression_checks import SUPPRESSION_CHECKS


class CheckCatalogue:
    """The checks and the contracts of a project, by absolute paths.

    `contracts_file` may be empty. `excluded` are the patterns of files that the configuration keeps out of
    the audit, `ignored` the checks that it ignores.
    """

    def __init__(
        self,
        local_rules: Sequence[str],
        contracts_file: str,
        excluded: Sequence[str],
        ignored: Sequence[str] = (),
    ) -> None:
        self._local_rules = local_rules
        self._contracts_file = contracts_file
        self.excluded = excluded
        self.ignored = ignored

    @classmethod
    def of_project(cls, project: Project) -> CheckCatalogue:
        """Return the catalogue of a project."""
        own = project.config.contracts
        contracts_file = project.resolve(own) if own else ""
        config = project.config
        return cls(project.local_rules, contracts_file, config.exclude, config.ignore)

    @cached_property
    def checks(self) -> Mapping[str, type[Check]]:
        """Every check by id: tree rules too, which are imported for it, and probes."""
        registry = self._registry
        rules = {**registry.rules, **SUPPRESSION_CHECKS, **registry.tree_rules}
        checks = {**rules, **probe_descriptions(), **monitor_descriptions()}
        _require_contracts(((c.id, c.contract) for c in checks.values()), self.contracts)
        return dict(sorted(checks.items()))

    @cached_property
    def rule_contracts(self) -> Mapping[str, str]:
        """The contract of every rule by the rule's id, for which no rule is imported."""
        registry = self._registry
        of_files = {check: summary.contract for check, summary in registry.summaries.items()}
        of_comments = {check: kind.contract for check, kind in SUPPRESSION_CHECKS.items()}
        return {**of_files, **of_comments, **registry.tree_contracts}

    @property
    def probe_contracts(self) -> Mapping[str, str]:
        """The contract of every probe by the probe's id."""
        foreign = map(describe, plugin_modules())
        return {**shipped_table().probe_contracts, **{one.id: one.contract for one in foreign}}

    def check(self, check_id: str) -> type[Check]:
        """Return one check, importing tree rules only if no file rule has the id."""
        if check_id in self._registry.summaries:
            return self._registry.rule(check_id)
        return SUPPRESSION_CHECKS.get(check_id) or self.checks[check_id]

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """Every contract by id.

        Raises:
            ContractError: A check names a missing contract.
        """
        contracts = with_own_contracts(shipped_contracts(), self._contracts_file)
        for of_files in (self._registry.summaries, SUPPRESSION_CHECKS):
            named = ((check, of_files[check].contract) for check in of_files)
            _require_contracts(named, contracts)
        return contracts

    @cached_property
    def _registry(self) -> RuleRegistry:
        return RuleRegistry(self._local_rules)


def _require_contracts(named: Iterable[tuple[str, str]], contracts: Mapping[str, Contract]) -> None:
    """Raise ContractError unless each contract that a check names, given by their ids, is there."""
    for check_id, contract in named:
        if contract not in contracts:
            raise ContractError(
                f"check {check_id} names contract '{contract}', which is in no contracts file"
            )
