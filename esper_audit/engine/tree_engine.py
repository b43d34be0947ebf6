"""Check a whole tree: run the tree rules over its index, and add the impact to findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from esper_audit.engine.impact import ImpactAnalysis
from esper_audit.engine.reached_packages import reached_packages
from esper_audit.findings.audit import Audit
from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Finding, NotAnalysed, Suppressed, TreeViolation
from esper_audit.rules.finding_builder import finding_at
from esper_audit.rules.rule import crash
from esper_audit.rules.suppression.suppression_checks import SUPPRESSION_CHECKS, UnusedSuppression
from esper_audit.rules.suppression.suppressions import Suppressor
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.index.index import Index
from esper_audit.source.usage.tree import Tree
from esper_audit.tracking.fingerprint import assign_fingerprints

WHOLE_TREE = "."
# These findings about comments come from the check of the file, which runs anyway.
FILE_SUPPRESSION_CHECKS = frozenset(SUPPRESSION_CHECKS) - {UnusedSuppression.id}
# For fewer findings only the files that contain their names are read; for more, reading all is quicker.
WORTH_READING_ALL = 20
Scope = Mapping[str, Collection[str]]
"""The files to report on, each with the ids of the checks that are on for it."""


class IndexOpener(Protocol):
    """Open the index of the tree: with `texts` in place of files on disk, as if `without` did not exist."""

    def __call__(
        self, *, texts: Mapping[str, bytes], without: Collection[str] = (), cache: bool
    ) -> Index:
        """Return the index."""


class TreeResult(msgspec.Struct, frozen=True):
    """The findings of the tree rules, and the rules that raised (`failed`) and so have no result."""

    findings: list[Finding] = []
    suppressed: list[Suppressed] = []
    not_analysed: list[NotAnalysed] = []
    failed: frozenset[str] = frozenset()


class TreeCheck:
    """The tree rules of one run, and the absolute `files_read` and `directories` that decided its result."""

    def __init__(
        self, root: str, open_index: IndexOpener, rules: Sequence[TreeRule], suppressor: Suppressor
    ) -> None:
        self._root = root
        self._open_index = open_index
        self._rules = rules
        self._suppressor = suppressor
        self._scope: Scope = {}
        self.result = TreeResult()
        self.index: Index
        self.files_read: list[str] = []
        self.directories: list[str] = []

    def run(self, scope: Scope, texts: Mapping[str, bytes], *, cache: bool) -> TreeCheck:
        """Run the rules on the files in `scope` and return the check itself."""
        self._scope = scope
        self.index = self._open_index(texts=texts, cache=cache)
        self.files_read = self.index.files_read
        self.directories = self.index.directories
        self.result = self._check(self.index)
        self.index.store.save()
        return self

    def fingerprints_before(self, contents: Mapping[str, bytes | None]) -> frozenset[str]:
        """Return the fingerprints of the findings with the changed files at their earlier contents.

        A file without earlier content did not exist. A file deleted since is not restored.
        """
        if not self._rules:
            return frozenset()
        texts = {path: content for path, content in contents.items() if content is not None}
        without = [path for path, content in contents.items() if content is None]
        before = self._open_index(texts=texts, without=without, cache=False)
        return frozenset(finding.fingerprint for finding in self._check(before).findings)

    def with_impact(self, audit: Audit, *, whole: bool = False) -> Audit:
        """Return the audit with the impact of every finding, and the severity that results from it.

        With `whole`, what the tests reach is added.
        """
        if len(audit.findings) > WORTH_READING_ALL:
            self.index.prepare()
        analysis = ImpactAnalysis(self.index)
        findings = [analysis.with_impact(finding) for finding in audit.findings]
        tested = reached_packages(Tree(self._root, self.index)) if whole else []
        self.index.store.save()
        return msgspec.structs.replace(audit, findings=findings, tested=tested)

    def _check(self, index: Index) -> TreeResult:
        if not self._rules:
            return TreeResult()
        return check_tree(Tree(self._root, index), self._rules, self._suppressor, self._scope)


def check_tree(
    tree: Tree, rules: Sequence[TreeRule], suppressor: Suppressor, scope: Scope
) -> TreeResult:
    """Return the findings of the rules in the files of `scope`, and the rules that raised as failed."""
    found: dict[str, list[tuple[Finding, str]]] = defaultdict(list)
    problems: set[NotAnalysed] = set()
    failed: set[str] = set()
    for rule in rules:
        try:
            violations = [v for v in rule.check(tree) if rule.id in scope.get(v.path, ())]
            results = [_result_of(tree, rule, violation) for violation in violations]
        # A rule that raises, whatever it raises, costs that rule and is named.
        except FAILURES as error:
            problems.add(crash(WHOLE_TREE, rule, error))
            failed.add(rule.id)
            continue
        for result in results:
            if isinstance(result, NotAnalysed):
                problems.add(result)
            else:
                found[result[0].location.path].append(result)
    completed = {rule.id for rule in rules} - failed
    files = [
        _without_suppressed(tree, suppressor, path, found[path], completed & set(checks))
        for path, checks in scope.items()
    ]
    return TreeResult(
        findings=[finding for file in files for finding in file.findings],
        suppressed=[suppressed for file in files for suppressed in file.suppressed],
        not_analysed=sorted(problems),
        failed=frozenset(failed),
    )


def _result_of(
    tree: Tree, rule: TreeRule, violation: TreeViolation | NotAnalysed
) -> tuple[Finding, str] | NotAnalysed:
    """Return the finding of a violation and the code that it is recognised by."""
    if isinstance(violation, NotAnalysed):
        return msgspec.structs.replace(violation, check=rule.id)
    source = tree.source(violation.path)
    assert source is not None
    finding = finding_at(rule, source, violation.span, violation.message)
    subject, argument = violation.subject, violation.argument
    return msgspec.structs.replace(finding, subject=subject, argument=argument), violation.code


def _without_suppressed(
    tree: Tree,
    suppressor: Suppressor,
    path: str,
    found: Sequence[tuple[Finding, str]],
    completed: Collection[str],
) -> TreeResult:
    """Apply the suppressions of one file to its findings."""
    content = tree.index.store.content(path) or b""
    may_name_a_check = any(check.encode() in content for check in completed)
    source = tree.source(path) if found or may_name_a_check else None
    if source is None:
        return TreeResult()
    result = suppressor.apply(source, assign_fingerprints(found), completed)
    findings = [f for f in result.findings if f.check not in FILE_SUPPRESSION_CHECKS]
    return TreeResult(findings, result.suppressed)
