"""The state of each contract: what holds is told from what is off, not adopted or not looked at."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.audit_runs import CLEAN, GOOD, HASATTR, audit, write

from esper_audit.findings.finding import Category, Severity
from esper_audit.findings.probe_record import ProbeRecord, Verdict
from esper_audit.project.config import find_project
from esper_audit.reports.audit.contract_matrix import contract_matrix
from esper_audit.reports.contract_states import ContractState, contract_states
from esper_audit.rules.catalogue import CheckCatalogue

STRICT = 'profile = "strict"\n'


def states(
    root: Path, configuration: str, verdicts: list[Verdict] | None = None, **files: str
) -> dict[str, tuple[ContractState | None, ContractState | None]]:
    """Return the states by rules and by probes of every contract in a tree."""
    tree = {f"{name}.py": text for name, text in files.items()}
    write(root, {"pyproject.toml": f"[tool.esper-audit]\n{configuration}", **tree})
    result = msgspec.structs.replace(audit(root), records=list(map(record, verdicts or [])))
    catalogue = CheckCatalogue.of_project(find_project([str(root)]))
    return {s.id: (s.by_rules, s.by_probes) for s in contract_states(result, catalogue)}


def record(verdict: Verdict) -> ProbeRecord:
    return ProbeRecord(
        unit="causality[host]",
        probe="causality",
        contract="causal-mask",
        subject="host",
        state="",
        severity=Severity.P1,
        category=Category.CORRECTNESS,
        verdict=verdict,
        code="x",
        message="x",
    )


@pytest.mark.parametrize(
    ("configuration", "code", "expected"),
    [
        ("", CLEAN, "not adopted"),
        ("", GOOD, "not adopted"),
        (STRICT, CLEAN, "holds"),
        (STRICT, GOOD, "broken"),
        (STRICT, "def f(:\n", "not looked at"),
        (f'{STRICT}ignore = ["{HASATTR}"]\n', GOOD, "off"),
        ('policies = ["no-hasattr"]\n', GOOD, "broken"),
    ],
)
def test_a_contract_has_the_state_of_its_rules(
    tmp_path: Path, configuration: str, code: str, expected: str
) -> None:
    assert states(tmp_path, configuration, a=code)["no-hasattr"][0] == expected


def test_a_contract_whose_rules_judge_no_file_is_not_applicable(tmp_path: Path) -> None:
    assert states(tmp_path, STRICT, test_a=GOOD)["no-hasattr"][0] == "not applicable"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], "unavailable"),
        ([Verdict.NOT_APPLICABLE], "not applicable"),
        ([Verdict.PASS, Verdict.EXPECTED_FAIL], "holds"),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], "not looked at"),
        ([Verdict.INCONCLUSIVE, Verdict.FAIL], "broken"),
    ],
)
def test_a_contract_has_the_state_of_its_probes(
    tmp_path: Path, verdicts: list[Verdict], expected: str
) -> None:
    assert states(tmp_path, "", verdicts, a=CLEAN)["causal-mask"] == ("holds", expected)


def test_the_matrix_prints_every_state(tmp_path: Path) -> None:
    off = f'[tool.esper-audit]\npolicies = ["no-hasattr"]\nignore = ["{HASATTR}"]\n'
    write(tmp_path, {"pyproject.toml": off, "a.py": CLEAN})
    catalogue = CheckCatalogue.of_project(find_project([str(tmp_path)]))
    found = audit(tmp_path)
    matrix = contract_matrix(contract_states(found, catalogue), found, catalogue)
    rows = {row.contract: row for row in matrix}
    assert rows["no-hasattr"].rule == "off"
    assert rows["private-state"].rule == "not adopted"
    assert rows["host-norm-guard"].rule == "holds"
    assert rows["ste"].rule == "no rule"
    assert rows["ste"].probe == "unavailable: no probe has run"
