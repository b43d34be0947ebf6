"""Contracts are testable sentences, and a project's own file extends the shipped ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from esper_audit.findings.contract import load_contracts
from esper_audit.findings.errors import ContractError

OWN = """
- id: {id}
  statement: Every run states its random seed.
  why: A run without a seed cannot be repeated.
  category: correctness
  tickets: []
"""
INDEFINITE = re.compile(
    r"\b(nobody|somebody|anybody|whoever|who|person|people|says?|tells?)\b", re.I
)


def own_file(directory: Path, *ids: str) -> str:
    path = directory / "contracts.yaml"
    path.write_text("".join(OWN.format(id=one) for one in ids))
    return str(path)


def test_the_contracts_of_a_project_follow_the_shipped_ones(tmp_path: Path) -> None:
    contracts = load_contracts(own_file(tmp_path, "stated-seed"))
    assert list(contracts) == [*load_contracts(), "stated-seed"]
    assert contracts["stated-seed"].statement == "Every run states its random seed."


def test_the_id_of_a_shipped_contract_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"duplicate contract id 'compile' \(shipped"):
        load_contracts(own_file(tmp_path, "compile"))


def test_a_duplicate_id_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"duplicate contract id 'b'\. Use another id\."):
        load_contracts(own_file(tmp_path, "a", "b", "b"))


def test_a_missing_or_invalid_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="cannot be read"):
        load_contracts(str(tmp_path / "none.yaml"))
    (tmp_path / "odd.yaml").write_text("- id: a\n")
    with pytest.raises(ContractError, match="missing required field"):
        load_contracts(str(tmp_path / "odd.yaml"))


def test_a_statement_is_one_sentence_without_indefinite_persons() -> None:
    for contract in load_contracts().values():
        assert contract.statement.endswith("."), contract.id
        assert contract.statement.count(". ") == 0, contract.id
        assert not INDEFINITE.search(f"{contract.statement} {contract.why}"), contract.id
