"""The table of the shipped rules: complete, cached, made anew, and a rule that does not load ends the run."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from esper_audit.findings.contract import load_contracts
from esper_audit.findings.errors import RuleLoadError
from esper_audit.project.engine_fingerprint import HOME_VARIABLE
from esper_audit.rules import rule_table
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.rule_modules import FILE_RULES, checks_of, imported_rules
from esper_audit.rules.rule_table import RuleSummary, shipped_contracts, shipped_table


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "cache"))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by one whenever the table is read from the rules themselves."""
    reads: list[int] = []
    read = rule_table._read_table

    def counting() -> rule_table.RuleTable:
        reads.append(1)
        return read()

    monkeypatch.setattr(rule_table, "_read_table", counting)
    return reads


def test_the_table_holds_every_rule_and_contract() -> None:
    rules = {check.id for module in imported_rules(FILE_RULES) for check in checks_of(module)}
    table = shipped_table.__wrapped__()
    assert {summary.id for summary in table.rules} == rules
    assert shipped_contracts() == load_contracts()
    for summary in table.rules:
        rule = summary.load()
        assert RuleSummary.of(rule) == summary
        assert summary.triggers == rule().triggers


def test_the_table_is_read_from_the_cache_while_the_package_is_unchanged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reads = counted(monkeypatch)
    first = shipped_table.__wrapped__()
    assert shipped_table.__wrapped__() == first
    assert len(reads) == 1
    monkeypatch.setattr(rule_table, "package_fingerprint", lambda: b"another package")
    assert shipped_table.__wrapped__() == first
    assert len(reads) == 2


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xff" * 99])
def test_a_damaged_table_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: bytes
) -> None:
    reads = counted(monkeypatch)
    first = shipped_table.__wrapped__()
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(damage)
    assert shipped_table.__wrapped__() == first
    assert len(reads) == 2


def test_a_rule_of_the_table_that_does_not_load_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = shipped_table()
    gone = msgspec.structs.replace(table.rules[0], module=f"{FILE_RULES}.gone")
    monkeypatch.setattr(
        "esper_audit.rules.registry.shipped_table",
        lambda: msgspec.structs.replace(table, rules=[gone, *table.rules[1:]]),
    )
    registry = RuleRegistry()
    with pytest.raises(RuleLoadError, match=r"^rule gone\.py does not load: ModuleNotFoundError"):
        registry.rule(gone.id)


def test_two_rules_of_one_id_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    table = shipped_table()
    twice = msgspec.structs.replace(table, rules=[*table.rules, table.rules[0]])
    monkeypatch.setattr("esper_audit.rules.registry.shipped_table", lambda: twice)
    with pytest.raises(RuleLoadError, match=r"; rename one$"):
        RuleRegistry()
