"""What outputs may look up about a finding: its check and its contract, read from disk only when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from esper_audit.config import Project
from esper_audit.contract import Contract, load_contracts
from esper_audit.errors import ContractError
from esper_audit.probe_sheets import probe_sheets
from esper_audit.rule import Check
from esper_audit.selection import known_checks


class Handbook:
    """The checks and the contracts of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project

    @cached_property
    def checks(self) -> Mapping[str, type[Check]]:
        """Every check by id, probes included."""
        return {**self._read_from_source, **probe_sheets()}

    @cached_property
    def _read_from_source(self) -> Mapping[str, type[Check]]:
        return known_checks(self._project)

    @property
    def excluded(self) -> list[str]:
        """The patterns of files that the configuration keeps out of the audit."""
        return self._project.config.exclude

    @cached_property
    def contracts(self) -> Mapping[str, Contract]:
        """Every contract by id; a check that names one that is not there is a ContractError."""
        own = self._project.config.contracts
        contracts = load_contracts(self._project.resolve(own) if own else "")
        for check in self._read_from_source.values():
            if check.contract not in contracts:
                raise ContractError(
                    f"check {check.id} names contract '{check.contract}', which is in no contracts file"
                )
        return contracts
