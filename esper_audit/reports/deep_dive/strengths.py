"""What was verified to hold, with the number of files and probes behind each contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.contract import Contract
from esper_audit.findings.finding import Category
from esper_audit.findings.probe_record import Verdict
from esper_audit.reports.contract_states import (
    HOLDING_VERDICTS,
    ContractState,
    ContractStates,
)
from esper_audit.reports.deep_dive.grades import AREAS
from esper_audit.text.markdown import count

WEAK = frozenset({ContractState.BROKEN, ContractState.NOT_LOOKED_AT, ContractState.OFF})


class Strength(msgspec.Struct, frozen=True):
    """A contract that holds: by how many rules in how many files, and in how many units of how many subjects."""

    contract: str
    category: Category
    statement: str
    rules: int
    files: int
    units: int
    subjects: int

    @property
    def by_rules(self) -> str:
        """The rules behind it in words, empty without any."""
        return f"{count(self.rules, 'rule')} in {count(self.files, 'file')}" if self.rules else ""

    @property
    def by_probes(self) -> str:
        """The probes behind it in words, empty without any."""
        if not self.units:
            return ""
        return f"{count(self.units, 'unit')} of {count(self.subjects, 'subject')}"


def strengths(
    states: Iterable[ContractStates], contracts: Mapping[str, Contract], audit: Audit
) -> list[Strength]:
    """Return the contracts that hold and are neither broken nor undecided, the best proven first."""
    found = [_strength(one, contracts[one.id], audit) for one in states if _is_kept(one)]
    return sorted(found, key=lambda one: (-one.units, -one.files, one.contract))


def by_rules_alone(found: Iterable[Strength]) -> dict[str, list[Strength]]:
    """Return the contracts that no probe is behind, by area."""
    unproven = [one for one in found if not one.units]
    return {
        area: chosen
        for area, categories in AREAS.items()
        if (chosen := [one for one in unproven if one.category in categories])
    }


def _is_kept(states: ContractStates) -> bool:
    """Return whether a contract holds by its rules or its probes, and nothing speaks against it."""
    cells = {states.by_rules, states.by_probes}
    return ContractState.HOLDS in cells and WEAK.isdisjoint(cells)


def _strength(states: ContractStates, contract: Contract, audit: Audit) -> Strength:
    on = set(states.rules).intersection(audit.checks)
    records = [
        record
        for record in audit.records
        if record.contract == contract.id and record.verdict in HOLDING_VERDICTS
    ]
    passed = [record for record in records if record.verdict is Verdict.PASS]
    has_rules = states.by_rules is ContractState.HOLDS
    return Strength(
        contract=contract.id,
        category=contract.category,
        statement=contract.statement,
        rules=len(on) if has_rules else 0,
        files=sum(not on.isdisjoint(checks) for checks in audit.checked.values())
        if has_rules
        else 0,
        units=len(passed),
        subjects=len({record.subject for record in passed}),
    )
