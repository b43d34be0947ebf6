"""The tree rules over a tree: ask each, place what it says, apply authorisations; a rule that raises is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec

from esper_audit.finding import Finding, NotAnalysed, Suppressed
from esper_audit.identity import with_identity
from esper_audit.placing import placed
from esper_audit.rule import FAILURES, crash
from esper_audit.suppressing import SUPPRESSION_CHECKS, Authority, UnusedSuppression
from esper_audit.tree import Tree
from esper_audit.tree_rule import TreeRule, TreeViolation

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
    authority: Authority,
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
    authority: Authority,
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
    result = authority.apply(source, with_identity(found), ran)
    findings = [f for f in result.findings if f.check not in ABOUT_ONE_FILE]
    return TreeResult(findings, result.suppressed, used=result.used)
