"""The contracts that are in force in a project: the universal ones, and the policies that it adopts."""

from __future__ import annotations

import os

from esper_audit.findings.contract import PROFILES, with_own_contracts
from esper_audit.findings.errors import ConfigError
from esper_audit.project.config import place_in_config
from esper_audit.project.config_tables import Config
from esper_audit.rules.rule_table import shipped_contracts
from esper_audit.text.phrases import did_you_mean


class Adoption:
    """The policies that a configuration adopts.

    `where` is the file of the configuration, empty without one.

    Raises:
        ConfigError: `policies` names no contract.
    """

    def __init__(self, config: Config, where: str) -> None:
        own = config.contracts
        own_file = os.path.join(os.path.dirname(where), own) if own else ""
        contracts = with_own_contracts(shipped_contracts(), own_file)
        self._kinds = {contract.id: contract.kind for contract in contracts.values()}
        self.policies = frozenset(c for c, kind in self._kinds.items() if kind == "policy")
        for position, contract in enumerate(config.policies):
            if contract not in self._kinds:
                raise ConfigError(
                    f"{place_in_config(where, ('policies', position))}: unknown policy "
                    f"'{contract}'{did_you_mean(contract, self.policies)}"
                )
        by_profile = {c for c, kind in self._kinds.items() if kind in PROFILES[config.profile]}
        self.in_force = frozenset(by_profile | set(config.policies))
        self._by_choice = (
            self.in_force if by_profile >= self.policies else frozenset(config.policies)
        )

    @property
    def not_adopted(self) -> frozenset[str]:
        """The policies that are not in force."""
        return self.policies - self.in_force

    def is_in_force(self, contract: str) -> bool:
        """Return whether a contract is universal, adopted, or in no contracts file."""
        return contract not in self.not_adopted

    def is_adopted(self, contract: str) -> bool:
        """Return whether a project itself states a contract, by its policies or the strict profile."""
        return contract in self._by_choice
