"""Look up checks and contracts by id for outputs, reading each from disk at its first use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from esper_audit.findings.contract import Contract, load_contracts
from esper_audit.findings.errors import ContractError
from esper_audit.project.config import Project
from esper_audit.rules.probe_catalogue import probe_descriptions
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.rule import Check
from esper_audit.rules.suppression_checks import SUPPRESSION_CHECKS


class CheckCatalogue:
    """The checks and the contracts of a project.

    Paths are absolute. `contracts_file` may be empty.
    """

    def __init__(
        self, local_rules: Sequence[str], contracts_file: str, excluded: Sequence[str]
    ) -> None:
        self._local_rules = local_rules
        self._contracts_file = contracts_file
        self.excluded = excluded
        """The patterns of files that the configuration keeps out of the audit."""

    @classmethod
    def of_project(cls, project: Project) -> CheckCatalogue:
        """Return the catalogue of a project."""
        own = project.config.contracts
        contracts_file = project.resolve(own) if own else ""
        return cls(project.local_rules, contracts_file, project.config.exclude)

    @cached_property
    def checks(self) -> Mapping[str, type[Check]]:
        """Every check by id: tree rules too, which are imported for it, and probes."""
        checks = {**self._of_files, **self._registry.tree_rules, **probe_descriptions()}
        _require_contracts(checks.values(), self.contracts)
        return dict(sorted(checks.items()))

    def check(self, check_id: str) -> type[Check]:
        """Return one check, importing tree rules only if no file rule has the id."""
        return self._of_files.get(check_id) or self.checks[check_id]

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """Every contract by id.

        Raises:
            ContractError: A check names a missing contract.
        """
        contracts = load_contracts(self._contracts_file)
        _require_contracts(self._of_files.values(), contracts)
        return contracts

    @cached_property
    def _registry(self) -> RuleRegistry:
        return RuleRegistry(self._local_rules)

    @cached_property
    def _of_files(self) -> Mapping[str, type[Check]]:
        return {**self._registry.rules, **SUPPRESSION_CHECKS}


def _require_contracts(checks: Iterable[type[Check]], contracts: Mapping[str, Contract]) -> None:
    for check in checks:
        if check.contract not in contracts:
            raise ContractError(
                f"check {check.id} names contract '{check.contract}', which is in no contracts file"
            )
