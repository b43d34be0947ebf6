"""The state of each contract in an audit: by its rules, and by its probes."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.rules.catalogue import CheckCatalogue

BROKEN_VERDICTS = frozenset({Verdict.FAIL, Verdict.UNEXPECTED_PASS})
HOLDING_VERDICTS = frozenset({Verdict.PASS, Verdict.EXPECTED_FAIL})


class ContractState(enum.StrEnum):
    """What is known of a contract.

    `off`: its checks were switched off, by the configuration or by their precision. `unavailable`: it
    needs what is not there, such as torch or a declared subject. `not looked at`: its checks were to
    run, and something was not analysed.
    """

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_APPLICABLE = "not applicable"
    NOT_ADOPTED = "not adopted"
    OFF = "off"
    UNAVAILABLE = "unavailable"
    NOT_LOOKED_AT = "not looked at"


class ContractStates(msgspec.Struct, frozen=True):
    """The checks of a contract, and its states by rules and by probes.

    A state is None where the contract has no check of the kind.
    """

    id: str
    kind: str
    rules: list[str]
    probes: list[str]
    by_rules: ContractState | None
    by_probes: ContractState | None


def contract_states(audit: Audit, catalogue: CheckCatalogue) -> list[ContractStates]:
    """Return the states of every contract of a project, in the order of the contracts."""
    rules = _by_contract(catalogue.rule_contracts)
    probes = _by_contract(catalogue.probe_contracts)
    return [
        ContractStates(
            contract.id,
            contract.kind,
            own := sorted(rules.get(contract.id, [])),
            measured := sorted(probes.get(contract.id, [])),
            _rule_state(contract.id, own, audit, catalogue.ignored),
            _probe_state(contract.id, measured, audit),
        )
        for contract in catalogue.contracts.values()
    ]


def _by_contract(contracts: Mapping[str, str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for check, contract in contracts.items():
        grouped.setdefault(contract, []).append(check)
    return grouped


def _rule_state(
    contract: str, rules: Sequence[str], audit: Audit, ignored: Collection[str]
) -> ContractState | None:
    """Return the state by the rules, `holds` only if none is ignored and each analysed every file."""
    if not rules:
        return None
    on = [rule for rule in rules if rule in audit.checks]
    if not on:
        return ContractState.NOT_ADOPTED if contract in audit.not_adopted else ContractState.OFF
    if any(finding.check in on for finding in audit.findings):
        return ContractState.BROKEN
    if any(problem.check in ("", *on) for problem in audit.not_analysed):
        return ContractState.NOT_LOOKED_AT
    if any(rule in ignored for rule in rules):
        return ContractState.OFF
    has_files = any(not checked.isdisjoint(on) for checked in audit.checked.values())
    return ContractState.HOLDS if has_files else ContractState.NOT_APPLICABLE


def _probe_state(contract: str, probes: Sequence[str], audit: Audit) -> ContractState | None:
    """Return the state by the probes, `holds` only if every promise was decided."""
    if not probes:
        return None
    state = _recorded_state(contract, audit)
    is_known = state in (ContractState.BROKEN, ContractState.NOT_ADOPTED)
    return state if is_known or not audit.is_interrupted else ContractState.NOT_LOOKED_AT


def _recorded_state(contract: str, audit: Audit) -> ContractState:
    """Return the state of a contract by the records that there are."""
    if not audit.records:
        is_adopted = contract not in audit.not_adopted
        return ContractState.UNAVAILABLE if is_adopted else ContractState.NOT_ADOPTED
    verdicts = _applicable(record for record in audit.records if record.contract == contract)
    if not verdicts:
        return ContractState.NOT_APPLICABLE
    if verdicts & BROKEN_VERDICTS:
        return ContractState.BROKEN
    return ContractState.HOLDS if verdicts <= HOLDING_VERDICTS else ContractState.NOT_LOOKED_AT


def _applicable(records: Iterable[ProbeRecord]) -> set[Verdict]:
    return {record.verdict for record in records} - {Verdict.NOT_APPLICABLE}
