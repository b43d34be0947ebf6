"""Run the cases of a rule: no finding on VALID, the exact lines and messages on INVALID, the exact fix."""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Sequence

import msgspec

from esper_audit.engine.file_checker import check_source
from esper_audit.engine.fixes import apply_edits
from esper_audit.engine.tree_engine import check_tree
from esper_audit.engine.triggers import TriggerTable
from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.project.config import Project, find_project
from esper_audit.rules.registry import RuleRegistry, local_module
from esper_audit.rules.rule import FileRule, Invalid, RunnableCheck, Valid
from esper_audit.rules.suppression.suppressions import Suppressor
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.index.index import open_index
from esper_audit.source.syntax.source import parse
from esper_audit.source.usage.tree import Tree

CODE = "case.py"
ANY_DAY = "2000-01-01"  # no case holds a comment that expires
AnyCase = Valid | Invalid | ValidTree | InvalidTree


class CaseResult(msgspec.Struct, frozen=True):
    """What a rule did on one of its cases, each finding as `line 3: message`.

    `problem` is what else is wrong, such as another fix. `raised` is what kept the rule from running.
    """

    rule: str
    part: str
    name: str
    expected: list[str] = []
    found: list[str] = []
    problem: str = ""
    raised: str = ""

    @property
    def has_passed(self) -> bool:
        """Return whether the rule did on the case exactly what that expects."""
        return self.expected == self.found and not self.problem and not self.raised


class CaseCrash(Exception):
    """The rule could not run on a case."""


def local_checks(registry: RuleRegistry, path: str) -> list[type[RunnableCheck]]:
    """Return the rules that a local file defines."""
    module = local_module(path)
    every: list[type[RunnableCheck]] = [*registry.rules.values(), *registry.tree_rules.values()]
    return [check for check in every if check.__module__ == module]


def run_cases(check: type[RunnableCheck]) -> list[CaseResult]:
    """Return the result of every case of a rule."""
    parts = (("VALID", check.VALID), ("INVALID", check.INVALID))
    return [_result(check, part, case) for part, cases in parts for case in cases]


def _result(check: type[RunnableCheck], part: str, case: object) -> CaseResult:
    assert isinstance(case, AnyCase), case
    result = CaseResult(check.id, part, case.name)
    try:
        if issubclass(check, FileRule) and isinstance(case, (Valid, Invalid)):
            return _on_file(check, case, result)
        assert issubclass(check, TreeRule)
        assert isinstance(case, (ValidTree, InvalidTree))
        return _on_tree(check, case, result)
    # Whatever a rule raises is the result of its case.
    except (*FAILURES, CaseCrash) as error:
        text = str(error) if isinstance(error, CaseCrash) else f"{type(error).__name__}: {error}"
        return msgspec.structs.replace(result, raised=text)


def _on_file(check: type[FileRule], case: Valid | Invalid, result: CaseResult) -> CaseResult:
    expected = case.expected if isinstance(case, Invalid) else ()
    columns = case.columns if isinstance(case, Invalid) else ()
    findings = _findings(check, case, case.code)
    unfiltered = _findings(check, case, case.code, prefilter=False)
    problem = ""
    if unfiltered != findings:
        problem = (
            "the triggers or `may_match` lose findings: without them it reports "
            f"{'; '.join(_lines_of(unfiltered)) or 'nothing'}"
        )
    elif isinstance(case, Invalid) and case.fixed is not None:
        problem = _problem_of_fix(check, case, findings, case.fixed)
    return msgspec.structs.replace(
        result,
        expected=_with_columns([f"line {line}: {message}" for line, message in expected], columns),
        found=_with_columns(
            _lines_of(findings), [f.location.column for f in findings] * bool(columns)
        ),
        problem=problem,
    )


def _problem_of_fix(
    check: type[FileRule], case: Invalid, findings: Sequence[Finding], expected: str
) -> str:
    fixed = apply_edits(case.code, [f.edit for f in findings if f.edit is not None])
    if fixed != expected:
        return f"the fix differs from `fixed`. It gives:\n{fixed.rstrip()}"
    ast.parse(fixed)
    left = _lines_of(_findings(check, case, fixed))
    return f"the fixed code still has findings: {'; '.join(left)}" if left else ""


def _findings(
    check: type[FileRule], case: Valid | Invalid, code: str, *, prefilter: bool = True
) -> list[Finding]:
    source = parse(CODE, code.encode())
    if isinstance(source, NotAnalysed):
        raise CaseCrash(source.reason)
    options = msgspec.convert(case.options, check.Options)
    result = check_source(source, TriggerTable.of([check(options)]), prefilter=prefilter)
    _require_analysed(result.not_analysed)
    return result.findings


def _on_tree(
    check: type[TreeRule], case: ValidTree | InvalidTree, result: CaseResult
) -> CaseResult:
    expected = case.expected if isinstance(case, InvalidTree) else ()
    columns = case.columns if isinstance(case, InvalidTree) else ()
    with tempfile.TemporaryDirectory() as root:
        for path, text in {"pyproject.toml": "", **case.files}.items():
            file = os.path.join(root, path)
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with open(file, "w", encoding="utf-8") as stream:
                stream.write(text)
        index = open_index(Project(root, find_project([root]).config), cache=False)
        options = msgspec.convert(case.options, check.Options)
        suppressor = Suppressor((), today=ANY_DAY, known={check.id}, authorised_words={})
        scope = {path: {check.id} for path in index.store.paths}
        checked = check_tree(Tree(root, index), [check(options)], suppressor, scope)
    _require_analysed(checked.not_analysed)
    return msgspec.structs.replace(
        result,
        expected=_with_columns(
            [f"{path}, line {line}: {message}" for path, line, message in expected], columns
        ),
        found=_with_columns(
            [f"{f.location.path}, {line}" for f in checked.findings for line in _lines_of([f])],
            [f.location.column for f in checked.findings] * bool(columns),
        ),
    )


def _with_columns(lines: Sequence[str], columns: Sequence[int]) -> list[str]:
    """Return lines of findings with their columns, as they are where a case states none."""
    if not columns:
        return list(lines)
    return [f"column {column} of {line}" for line, column in zip(lines, columns, strict=True)]


def _require_analysed(problems: Sequence[NotAnalysed]) -> None:
    if problems:
        raise CaseCrash("; ".join(problem.reason for problem in problems))


def _lines_of(findings: Sequence[Finding]) -> list[str]:
    return [f"line {finding.location.line}: {finding.message}" for finding in findings]
