"""What a run asks of the whole tree: the tree rules, and the impact of every finding; one index for both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from esper_audit.audit import Audit
from esper_audit.config import Project
from esper_audit.impact import Impacts
from esper_audit.index import Index, open_index
from esper_audit.suppressing import Authority
from esper_audit.tree import Tree
from esper_audit.tree_engine import TreeResult, examine
from esper_audit.tree_rule import TreeRule

# For a few findings only files that hold their words are read; for more, all of them once is quicker.
WORTH_READING_ALL = 20
Scope = Mapping[str, Collection[str]]


class Survey:
    """The tree of one run; `files_read` and `directories` (absolute) decided what it says."""

    def __init__(
        self,
        project: Project,
        rules: Sequence[TreeRule],
        authority: Authority,
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

    def run(self, scope: Scope, texts: Mapping[str, bytes]) -> Survey:
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
        impacts = Impacts(self.index)
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
