"""The tree rules over a tree: ask each, place what it says, apply authorisations; a rule that raises is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec

from esper_audit.engine.impact import ImpactAnalysis
from esper_audit.engine.locate import placed
from esper_audit.findings.audit import Audit
from esper_audit.findings.errors import FAILURES
from esper_audit.findings.finding import Finding, NotAnalysed, Suppressed, TreeViolation
from esper_audit.project.config import Project
from esper_audit.rules.rule import crash
from esper_audit.rules.suppressions import SUPPRESSION_CHECKS, Suppressor, UnusedSuppression
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.index.index import Index, open_index
from esper_audit.source.usage.tree import Tree
from esper_audit.tracking.fingerprint import assign_fingerprints

WHOLE_TREE = "."
ABOUT_ONE_FILE = frozenset(SUPPRESSION_CHECKS) - {UnusedSuppression.id}


class TreeResult(msgspec.Struct, frozen=True):
    """What the tree rules say; `failed` are those that raised, and so looked at nothing."""

    findings: list[Finding] = []
    suppressed: list[Suppressed] = []
    not_analysed: list[NotAnalysed] = []
    used: list[int] = []
    failed: frozenset[str] = frozenset()


def examine(
    tree: Tree,
    rules: Sequence[TreeRule],
    authority: Suppressor,
    scope: Mapping[str, Collection[str]],
) -> TreeResult:
    """Return what the rules say of the files in `scope`, each with the ids of the checks that are on for it."""
    said: dict[str, list[tuple[Finding, str]]] = defaultdict(list)
    problems: list[NotAnalysed] = []
    failed: set[str] = set()
    for rule in rules:
        try:
            violations = list(rule.check(tree))
            found = [_told(tree, rule, v) for v in violations if rule.id in scope.get(v.path, ())]
        # A rule that raises, whatever it raises, costs that rule and is named.
        except FAILURES as error:
            problems.append(crash(WHOLE_TREE, rule, error))
            failed.add(rule.id)
            continue
        for told in found:
            if isinstance(told, NotAnalysed):
                problems.append(told)
            else:
                said[told[0].location.path].append(told)
    ran = {rule.id for rule in rules} - failed
    sorted_out = [
        _authorised(tree, authority, path, said[path], ran & set(on)) for path, on in scope.items()
    ]
    return TreeResult(
        findings=[finding for result in sorted_out for finding in result.findings],
        suppressed=[one for result in sorted_out for one in result.suppressed],
        not_analysed=sorted(set(problems)),
        used=sorted({position for result in sorted_out for position in result.used}),
        failed=frozenset(failed),
    )


def _told(
    tree: Tree, rule: TreeRule, violation: TreeViolation | NotAnalysed
) -> tuple[Finding, str] | NotAnalysed:
    if isinstance(violation, NotAnalysed):
        return msgspec.structs.replace(violation, check=rule.id)
    source = tree.source(violation.path)
    assert source is not None
    finding = placed(rule, source, violation.span, violation.message)
    subject, argument = violation.subject, violation.argument
    return msgspec.structs.replace(finding, subject=subject, argument=argument), violation.code


def _authorised(
    tree: Tree,
    authority: Suppressor,
    path: str,
    found: Sequence[tuple[Finding, str]],
    ran: Collection[str],
) -> TreeResult:
    """Sort the findings of one file; what is wrong with its comments as such was told by the check of the file."""
    content = tree.index.store.content(path) or b""
    may_be_about_them = any(check.encode() in content for check in ran)
    source = tree.source(path) if found or may_be_about_them else None
    if source is None:
        return TreeResult()
    result = authority.apply(source, assign_fingerprints(found), ran)
    findings = [f for f in result.findings if f.check not in ABOUT_ONE_FILE]
    return TreeResult(findings, result.suppressed, used=result.used)


# For a few findings only files that hold their words are read; for more, all of them once is quicker.
WORTH_READING_ALL = 20
Scope = Mapping[str, Collection[str]]


class TreeCheck:
    """The tree of one run; `files_read` and `directories` (absolute) decided what it says."""

    def __init__(
        self,
        project: Project,
        rules: Sequence[TreeRule],
        authority: Suppressor,
        paths: Sequence[str],
        *,
        cache: bool,
    ) -> None:
        self._project = project
        self._rules = rules
        self._authority = authority
        self._paths = paths
        self._cache = cache
        self._scope: Scope = {}
        self.result = TreeResult()
        self.index: Index
        self.files_read: list[str] = []
        self.directories: list[str] = []

    def run(self, scope: Scope, texts: Mapping[str, bytes]) -> TreeCheck:
        """Ask the rules about the files in `scope`, each with the checks that are on for it."""
        self._scope = scope
        opened = open_index(self._project, paths=self._paths, texts=texts, cache=self._cache)
        self.index = opened
        self.files_read = opened.files_read
        self.directories = opened.directories
        self.result = self._examined(opened)
        opened.store.save()
        return self

    def fingerprints_before(self, contents: Mapping[str, bytes | None]) -> frozenset[str]:
        """Return the identities of what the rules said when changed files had their earlier contents.

        A file without earlier content was not there; one that has gone since is not brought back.
        """
        if not self._rules:
            return frozenset()
        texts = {path: content for path, content in contents.items() if content is not None}
        without = [path for path, content in contents.items() if content is None]
        before = open_index(
            self._project, paths=self._paths, texts=texts, without=without, cache=False
        )
        return frozenset(finding.fingerprint for finding in self._examined(before).findings)

    def with_impact(self, audit: Audit) -> Audit:
        """Return the audit with the impact of every finding, and the severity that follows from it."""
        if len(audit.findings) > WORTH_READING_ALL:
            self.index.prepare()
        impacts = ImpactAnalysis(self.index)
        judged = msgspec.structs.replace(
            audit, findings=[impacts.judged(finding) for finding in audit.findings]
        )
        self.index.store.save()
        return judged

    def _examined(self, index: Index) -> TreeResult:
        if not self._rules:
            return TreeResult()
        tree = Tree(self._project.root, index)
        return examine(tree, self._rules, self._authority, self._scope)
