"""Each rule meets its own cases: no finding on VALID, the exact lines and messages on INVALID, the exact fix."""

from __future__ import annotations

import ast

import msgspec
import pytest

from esper_audit.engine.file_checker import SourceFindings, check_source
from esper_audit.engine.fixes import apply_edits
from esper_audit.engine.triggers import TriggerTable
from esper_audit.rules.registry import discover
from esper_audit.rules.rule import Invalid, Rule, Valid
from esper_audit.source.syntax.source import Source, parse

RULES = discover()
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
FIXED = [param for param in INVALID if param.values[1].fixed is not None]


def audit(
    rule: type[Rule], case: Valid | Invalid, code: str, *, prefilter: bool = True
) -> SourceFindings:
    source = parse("case.py", code.encode())
    assert isinstance(source, Source), source
    options = msgspec.convert(case.options, rule.Options)
    result = check_source(source, TriggerTable.of([rule(options)]), prefilter=prefilter)
    assert result.not_analysed == []
    return result


def shown(code: str) -> str:
    """Return the code of a case for the message of a failed assertion, with line numbers."""
    numbered = (f"{number:4}  {line}" for number, line in enumerate(code.splitlines(), 1))
    return "the case is\n" + "\n".join(numbered)


@pytest.mark.parametrize(("rule", "case"), VALID)
def test_a_rule_reports_nothing_on_its_valid_cases(rule: type[Rule], case: Valid) -> None:
    found = [f.message for f in audit(rule, case, case.code).findings]
    assert found == [], shown(case.code)


@pytest.mark.parametrize(("rule", "case"), INVALID)
def test_a_rule_reports_exactly_what_its_invalid_cases_expect(
    rule: type[Rule], case: Invalid
) -> None:
    found = audit(rule, case, case.code).findings
    reported = tuple((f.location.line, f.message) for f in found)
    assert reported == case.expected, shown(case.code)
    columns = tuple(finding.location.column for finding in found)
    assert case.columns in ((), columns), shown(case.code)


@pytest.mark.parametrize(("rule", "case"), VALID + INVALID)
def test_the_prefilter_loses_no_finding(rule: type[Rule], case: Valid | Invalid) -> None:
    unfiltered = audit(rule, case, case.code, prefilter=False)
    assert audit(rule, case, case.code) == unfiltered, shown(case.code)


@pytest.mark.parametrize(("rule", "case"), FIXED)
def test_a_fix_results_in_the_expected_code_without_the_finding(
    rule: type[Rule], case: Invalid
) -> None:
    edits = [f.edit for f in audit(rule, case, case.code).findings if f.edit is not None]
    fixed = apply_edits(case.code, edits)
    ast.parse(fixed)
    assert fixed == case.fixed, shown(case.code)
    assert audit(rule, case, fixed).findings == [], shown(fixed)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_a_rule_has_enough_cases_with_unique_names(rule: type[Rule]) -> None:
    names = [case.name for case in (*rule.VALID, *rule.INVALID)]
    assert len(set(names)) == len(names)
    assert len(rule.VALID) >= 3
    assert len(rule.INVALID) >= 2


def test_a_failing_case_shows_its_code_with_line_numbers() -> None:
    case = Valid(
        "a block",
        """
        def f(x):
            return x
        """,
    )
    assert shown(case.code) == "the case is\n   1  def f(x):\n   2      return x"
