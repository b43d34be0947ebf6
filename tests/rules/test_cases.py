"""Every rule's own cases: quiet on VALID, the very words and lines on INVALID, FIXED once and for all."""

from __future__ import annotations

import ast

import msgspec
import pytest

from esper_audit.engine.file_checker import SourceFindings, check_source
from esper_audit.engine.fixes import apply_edits
from esper_audit.engine.prefilter import Prefilter
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
    result = check_source(source, Prefilter([rule(options)]), prefilter=prefilter)
    assert result.not_analysed == []
    return result


@pytest.mark.parametrize(("rule", "case"), VALID)
def test_a_rule_is_quiet_on_its_valid_cases(rule: type[Rule], case: Valid) -> None:
    assert [f.message for f in audit(rule, case, case.code).findings] == []


@pytest.mark.parametrize(("rule", "case"), INVALID)
def test_a_rule_speaks_on_its_invalid_cases(rule: type[Rule], case: Invalid) -> None:
    found = audit(rule, case, case.code).findings
    assert tuple((f.location.line, f.message) for f in found) == case.expected


@pytest.mark.parametrize(("rule", "case"), VALID + INVALID)
def test_the_prefilter_loses_nothing(rule: type[Rule], case: Valid | Invalid) -> None:
    assert audit(rule, case, case.code) == audit(rule, case, case.code, prefilter=False)


@pytest.mark.parametrize(("rule", "case"), FIXED)
def test_a_fix_gives_the_code_it_promises_and_ends_the_finding(
    rule: type[Rule], case: Invalid
) -> None:
    edits = [f.edit for f in audit(rule, case, case.code).findings if f.edit is not None]
    fixed = apply_edits(case.code, edits)
    ast.parse(fixed)
    assert fixed == case.fixed
    assert audit(rule, case, fixed).findings == []


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_a_rule_has_cases_enough_and_names_each_once(rule: type[Rule]) -> None:
    names = [case.name for case in (*rule.VALID, *rule.INVALID)]
    assert len(set(names)) == len(names)
    assert len(rule.VALID) >= 3
    assert len(rule.INVALID) >= 2
