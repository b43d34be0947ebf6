"""The reports of `esper-audit rule --test` and `--fixtures`: each case of the rules, and what differs."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence

from esper_audit.findings.audit import CLEAN, FINDINGS, NOT_ALL_ANALYSED
from esper_audit.project.config import Project
from esper_audit.rules.catalogue import CheckCatalogue
from esper_audit.rules.registry import RuleRegistry, local_module
from esper_audit.rules.rule import FileRule
from esper_audit.text.markdown import count
from esper_audit.workflow.project_rules.dropped_conditions import (
    DroppedCondition,
    dropped_conditions,
)
from esper_audit.workflow.project_rules.rule_cases import CaseResult, local_checks, run_cases
from esper_audit.workflow.project_rules.rule_fixtures import check_fixtures, fixture_lines

INDENT = " " * 10


def rule_test(project: Project, file: str) -> tuple[int, Iterator[str]]:
    """Return the exit status and the lines of a test of the rules in a file.

    Raises:
        RuleLoadError: a rule does not load, or a case does not parse.
        ContractError: a rule names a contract that is in no file.
    """
    path = os.path.abspath(file)
    own = project.config.contracts
    catalogue = CheckCatalogue([path], project.resolve(own) if own else "", ())
    checks = local_checks(RuleRegistry([path]), path)
    for check in checks:
        catalogue.check(check.id)
    assert catalogue.contracts
    results = [result for check in checks for result in run_cases(check)]
    return _status(results), _lines(results)


def condition_test(file: str) -> tuple[int, Iterator[str]]:
    """Return the exit status and the lines of a test without each condition of the rules in a file."""
    path = os.path.abspath(file)
    conditions = dropped_conditions(path, local_module(path))
    is_passed = all(one.is_needed for one in conditions)
    return CLEAN if is_passed else FINDINGS, condition_lines(conditions)


def condition_lines(conditions: Sequence[DroppedCondition]) -> Iterator[str]:
    """Yield the conditions that no case needs, and a summary."""
    idle = [one for one in conditions if not one.is_needed]
    yield from (f"  line {one.line}: no case fails without `{one.code}`" for one in idle)
    yield f"{count(len(conditions), 'condition')} dropped in turn: {len(idle)} that no case needs"


def fixture_test(project: Project, file: str, paths: Sequence[str]) -> tuple[int, Iterator[str]]:
    """Return the exit status and the lines of a test by fixture files, of the rules in `file` if it is given."""
    path = os.path.abspath(file) if file else ""
    registry = RuleRegistry([path] if path else project.local_rules)
    rules = local_checks(registry, path) if path else []
    own = [rule.id for rule in rules if issubclass(rule, FileRule)]
    results = check_fixtures(registry, [os.path.abspath(one) for one in paths], own)
    if any(result.problem for result in results):
        return NOT_ALL_ANALYSED, fixture_lines(results)
    has_passed = all(result.has_passed for result in results)
    return CLEAN if has_passed else FINDINGS, fixture_lines(results)


def _status(results: Sequence[CaseResult]) -> int:
    if any(result.raised for result in results):
        return NOT_ALL_ANALYSED
    return CLEAN if all(result.has_passed for result in results) else FINDINGS


def _lines(results: Sequence[CaseResult]) -> Iterator[str]:
    rule = ""
    for result in results:
        if result.rule != rule:
            rule = result.rule
            yield rule
        word = "passed" if result.has_passed else "raised" if result.raised else "failed"
        yield f"  {word}  {result.part:<7}  {result.name}"
        yield from _details(result)
    failed = sum(not result.has_passed for result in results)
    yield ""
    yield f"{count(len(results), 'case')}: {len(results) - failed} passed, {failed} failed"


def _details(result: CaseResult) -> Iterator[str]:
    if result.raised:
        yield f"{INDENT}the rule did not run: {result.raised}"
    elif result.expected != result.found:
        yield from _listed("expected", result.expected)
        yield from _listed("got", result.found)
    if result.problem:
        yield textwrap.indent(result.problem, INDENT)


def _listed(word: str, findings: Sequence[str]) -> Iterator[str]:
    for finding in findings or ["no finding"]:
        yield f"{INDENT}{word:<8}  {finding}"
