"""What outputs may look up about a finding: its check and its contract, read from disk only when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from esper_audit.findings.contract import Contract, load_contracts
from esper_audit.findings.errors import ContractError
from esper_audit.project.config import Project
from esper_audit.rules.probe_catalogue import probe_descriptions
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.rule import Check
from esper_audit.rules.selection import known_shelf
from esper_audit.rules.suppressions import SUPPRESSION_CHECKS


class CheckCatalogue:
    """The checks and the contracts of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project

    @cached_property
    def checks(self) -> Mapping[str, type[Check]]:
        """Every check by id: tree rules too, which are imported for it, and probes."""
        checks = {**self._of_files, **self._shelf.tree_rules, **probe_descriptions()}
        _require_contracts(checks.values(), self.contracts)
        return dict(sorted(checks.items()))

    def check(self, check_id: str) -> type[Check]:
        """Return one check; tree rules are imported only to find one of them."""
        return self._of_files.get(check_id) or self.checks[check_id]

    @property
    def excluded(self) -> list[str]:
        """The patterns of files that the configuration keeps out of the audit."""
        return self._project.config.exclude

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """Every contract by id; a check that names one that is not there is a ContractError."""
        own = self._project.config.contracts
        contracts = load_contracts(self._project.resolve(own) if own else "")
        _require_contracts(self._of_files.values(), contracts)
        return contracts

    @cached_property
    def _shelf(self) -> RuleRegistry:
        return known_shelf(self._project)

    @cached_property
    def _of_files(self) -> Mapping[str, type[Check]]:
        return {**self._shelf.rules, **SUPPRESSION_CHECKS}


def _require_contracts(checks: Iterable[type[Check]], contracts: Mapping[str, Contract]) -> None:
    for check in checks:
        if check.contract not in contracts:
            raise ContractError(
                f"check {check.id} names contract '{check.contract}', which is in no contracts file"
            )
