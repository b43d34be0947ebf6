"""Drop the findings of `check --since` that an earlier revision already had, moved code included."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from esper_audit.engine.file_checker import FileChecker
from esper_audit.findings.audit import Audit
from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.findings.finding import Finding
from esper_audit.project.discovery import SUFFIXES
from esper_audit.project.git import blob_content
from esper_audit.source.syntax.source import Source, parse

FingerprintsBefore = Callable[[Mapping[str, bytes | None]], frozenset[str]]


def without_old(
    audit: Audit,
    checker: FileChecker,
    changed: Mapping[str, str],
    of_tree: FingerprintsBefore | None = None,
) -> Audit:
    """Return an audit without the findings of the earlier revision.

    `changed` maps each changed file to its earlier git object name. `of_tree` returns the fingerprints
    of the tree rules' findings with the changed files at their earlier contents.
    """
    earlier = _EarlierRevision(audit, checker, changed)
    new = [f for f in audit.findings if not earlier.has_in_place(f)]
    if new:
        known = earlier.recognised()
        known |= of_tree(earlier.contents()) if of_tree else set()
        new = [finding for finding in audit.findings if finding.fingerprint not in known]
    hidden = len(audit.findings) - len(new)
    return msgspec.structs.replace(audit, findings=new, hidden=hidden)


class _EarlierRevision:
    """The changed files at their earlier contents, each checked at its first use."""

    def __init__(self, audit: Audit, checker: FileChecker, changed: Mapping[str, str]) -> None:
        self._audit = audit
        self._checker = checker
        self._changed = changed
        self._contents: dict[str, bytes | None] = {}
        self._outcomes: dict[str, FileOutcome] = {}

    def has_in_place(self, finding: Finding) -> bool:
        """Return whether the same file had a finding of the same fingerprint."""
        before = self._outcome(finding.location.path).findings
        return any(old.fingerprint == finding.fingerprint for old in before)

    def recognised(self) -> set[str]:
        """Return the fingerprints of the findings that the earlier revision had, at any place."""
        from esper_audit.tracking.current_tree import CurrentTree
        from esper_audit.tracking.matcher import match_findings
        from esper_audit.tracking.observation import observations

        present = CurrentTree(self._audit.root)
        paths = sorted(path for path in self._changed if path.endswith(SUFFIXES))
        before = [finding for path in paths for finding in self._outcome(path).findings]
        old = observations(before, self._source)
        looked_at = {s.key for s in old if self._audit.is_checked(s.check, s.path)}
        current = observations(self._audit.findings, present.source)
        return {
            match.new.key for match in match_findings(old, current, present, may_move=looked_at)
        }

    def contents(self) -> dict[str, bytes | None]:
        """Return the earlier contents of every changed file."""
        return {path: self._content(path) for path in self._changed}

    def _content(self, path: str) -> bytes | None:
        if path not in self._contents:
            blob = self._changed.get(path, "")
            self._contents[path] = blob_content(self._audit.root, blob)
        return self._contents[path]

    def _outcome(self, path: str) -> FileOutcome:
        if path not in self._outcomes:
            content = self._content(path)
            known = (
                FileOutcome(path)
                if content is None
                else self._checker.check_file(path, data=content)
            )
            self._outcomes[path] = known
        return self._outcomes[path]

    def _source(self, path: str) -> Source | None:
        content = self._content(path)
        source = None if content is None else parse(path, content)
        return source if isinstance(source, Source) else None
