"""The matrix of contracts: for each contract, the verdict of its rules and the verdict of its probes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.findings.audit import Audit
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.reports.contract_states import ContractState, ContractStates
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.text.markdown import cell, code, count, listed

ORDER = (
    ContractState.BROKEN,
    ContractState.NOT_LOOKED_AT,
    ContractState.HOLDS,
    ContractState.OFF,
    ContractState.UNAVAILABLE,
    ContractState.NOT_APPLICABLE,
    ContractState.NOT_ADOPTED,
)


class MatrixRow(msgspec.Struct, frozen=True):
    """A contract with its verdicts.

    All fields are Markdown for a table cell, `why` and `checks` prose.
    """

    contract: str
    statement: str
    rule: str
    probe: str
    why: str
    checks: str


def contract_matrix(
    states: Iterable[ContractStates], audit: Audit, catalogue: CheckCatalogue
) -> list[MatrixRow]:
    """Return a row for each contract of a project, the broken ones first, then the undecided ones."""
    return [_row(one, audit, catalogue) for one in sorted(states, key=_urgency)]


def _urgency(states: ContractStates) -> int:
    cells = (states.by_rules, states.by_probes)
    return min((ORDER.index(cell) for cell in cells if cell is not None), default=len(ORDER))


def _row(states: ContractStates, audit: Audit, catalogue: CheckCatalogue) -> MatrixRow:
    contract = catalogue.contracts[states.id]
    others = {check.id for check in catalogue.checks.values() if check.contract == states.id}
    monitors = sorted(others.difference(states.rules, states.probes))
    checks = (*states.rules, *states.probes, *monitors)
    links = [code(check) for check in checks]
    return MatrixRow(
        contract=contract.id,
        statement=cell(contract.statement),
        rule=_rule_verdict(states, audit, catalogue),
        probe=_probe_verdict(states, audit),
        why=contract.why,
        checks=f"Checked by {listed(links)}." if links else "No check exists yet.",
    )


def _rule_verdict(states: ContractStates, audit: Audit, catalogue: CheckCatalogue) -> str:
    """Return the verdict of the rules of a contract.

    "holds" only if none is ignored and each analysed every file.
    """
    on = [rule for rule in states.rules if rule in audit.checks]
    if not on or states.by_rules is ContractState.NOT_APPLICABLE:
        return states.by_rules or "no rule"
    findings = sum(finding.check in on for finding in audit.findings)
    missed = sum(problem.check in ("", *on) for problem in audit.not_analysed)
    ignored = [code(rule) for rule in states.rules if rule in catalogue.ignored]
    parts = [f"**broken**: [{findings}](#findings)"] if findings else []
    parts += [f"not looked at in {missed}"] if missed else []
    parts += [f"off: {listed(ignored)}"] if ignored else []
    parts = parts or ["holds"]
    accepted = sum(ticketed.finding.check in on for ticketed in audit.ticketed)
    parts += [f"[{accepted} accepted](#accepted)"] if accepted else []
    authorised = sum(suppressed.finding.check in on for suppressed in audit.suppressed)
    parts += [f"[{authorised} authorised](#authorised)"] if authorised else []
    return ", ".join(parts)


def _probe_verdict(states: ContractStates, audit: Audit) -> str:
    """Return the verdict of the probes of a contract.

    "holds" only if every promise was decided.
    """
    if states.by_probes is None:
        return "no probe"
    records = [record for record in audit.records if record.contract == states.id]
    applicable = [record for record in records if record.verdict is not Verdict.NOT_APPLICABLE]
    if not applicable:
        reason = "no subject promises it" if audit.records else "no probe has run"
        return f"{states.by_probes}: {reason}"
    return _verdict_of_records(applicable)


def _verdict_of_records(records: Sequence[ProbeRecord]) -> str:
    counts = Counter(record.verdict for record in records)
    kept, broken = counts[Verdict.PASS], counts[Verdict.FAIL] + counts[Verdict.UNEXPECTED_PASS]
    missed = counts[Verdict.INCONCLUSIVE] + counts[Verdict.BLOCKED_BY] + counts[Verdict.NO_VERDICT]
    if broken:
        verdict = f"**broken**: {broken} of [{len(records)}](#probes)"
    elif kept:
        verdict = f"holds in [{count(kept, 'unit')}](#probes)"
    else:
        verdict = "undecided"
    expected = counts[Verdict.EXPECTED_FAIL]
    verdict += f", {expected} expected to fail" if expected else ""
    return f"{verdict}, not looked at in {missed}" if missed else verdict
