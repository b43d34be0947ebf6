"""Each tree rule meets its own cases: no finding on VALID, the exact lines and messages on INVALID."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.audit_runs import TODAY, write

from esper_audit.engine.tree_engine import TreeResult, check_tree
from esper_audit.project.config import Project, find_project
from esper_audit.reports.rules_page import case_code
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.suppression.suppressions import Suppressor
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.index.index import open_index
from esper_audit.source.usage.tree import Tree

RULES = RuleRegistry().tree_rules
VALID = [
    pytest.param(rule, case, id=f"{rule.id}: {case.name}")
    for rule in RULES.values()
    for case in rule.VALID
]
INVALID = [
    pytest.param(rule, case, id=f"{rule.id}: {case.name}")
    for rule in RULES.values()
    for case in rule.INVALID
]


def audited(root: Path, rule: type[TreeRule], case: ValidTree | InvalidTree) -> TreeResult:
    """Write the tree of a case and run the rule on it."""
    write(root, {"pyproject.toml": "", **case.files})
    project = Project(str(root), find_project([str(root)]).config)
    index = open_index(project, cache=False)
    options = msgspec.convert(case.options, rule.Options)
    suppressor = Suppressor((), today=TODAY, known=RULES, authorised_words={})
    scope = {path: {rule.id} for path in index.store.paths}
    result = check_tree(Tree(project.root, index), [rule(options)], suppressor, scope)
    assert result.not_analysed == []
    return result


@pytest.mark.parametrize(("rule", "case"), VALID)
def test_a_tree_rule_reports_nothing_on_its_valid_cases(
    tmp_path: Path, rule: type[TreeRule], case: ValidTree
) -> None:
    found = [f.message for f in audited(tmp_path, rule, case).findings]
    assert found == [], f"the case is\n{case_code(case)}"


@pytest.mark.parametrize(("rule", "case"), INVALID)
def test_a_tree_rule_reports_exactly_what_its_invalid_cases_expect(
    tmp_path: Path, rule: type[TreeRule], case: InvalidTree
) -> None:
    found = audited(tmp_path, rule, case).findings
    reported = tuple((f.location.path, f.location.line, f.message) for f in found)
    assert reported == case.expected, f"the case is\n{case_code(case)}"
    columns = tuple(finding.location.column for finding in found)
    assert case.columns in ((), columns), f"the case is\n{case_code(case)}"


@pytest.mark.parametrize(("rule", "case"), INVALID)
def test_each_finding_has_its_own_fingerprint(
    tmp_path: Path, rule: type[TreeRule], case: InvalidTree
) -> None:
    prints = [f.fingerprint for f in audited(tmp_path, rule, case).findings]
    assert all(prints)
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_a_tree_rule_has_enough_cases_with_unique_names(rule: type[TreeRule]) -> None:
    names = [case.name for case in (*rule.VALID, *rule.INVALID)]
    assert len(set(names)) == len(names)
    assert len(rule.VALID) >= 3
    assert len(rule.INVALID) >= 2
