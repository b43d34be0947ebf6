"""What reading its findings in real packages showed stands in every rule, and decides whether it runs unasked."""

from __future__ import annotations

import re

import pytest

from esper_audit.reports.rules_page import check_page
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.rule import Check

SHELF = RuleRegistry()
RULES: dict[str, type[Check]] = {**SHELF.rules, **SHELF.tree_rules}
FIGURE = re.compile(r"(\d+) of (\d+)")
FEW = 10  # findings: with fewer one may be wrong
ENOUGH = 0.9


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_a_rule_runs_unasked_only_where_nine_findings_in_ten_were_right(rule: type[Check]) -> None:
    assert rule.precision, "read its findings in real packages, and say how many were right"
    right, read = map(int, (FIGURE.findall(rule.precision) or [(1, 1)])[0])
    assert right <= read
    is_enough = right >= (ENOUGH * read if read >= FEW else read - 1)
    assert is_enough or not rule.default


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_its_page_tells_how_often_it_was_right(rule: type[Check]) -> None:
    facts = check_page(rule).facts
    assert f"measured: {rule.precision}" in facts
    assert ("off unless selected" in facts) is not rule.default
