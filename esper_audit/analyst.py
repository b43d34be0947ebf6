"""One file from bytes to outcome: read, parse, ask the rules that are on for its path, apply authorisations."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from esper_audit.cache import FileOutcome
from esper_audit.config import Project
from esper_audit.engine import Engine
from esper_audit.finding import NotAnalysed
from esper_audit.selection import Selection
from esper_audit.source import parse, read
from esper_audit.suppressing import SUPPRESSION_CHECKS, Authority
from esper_audit.suppression import may_hold_comments


class Analyst:
    """Knows the rules, the authorisations and the day; looks at one file after the other."""

    def __init__(self, project: Project, selection: Selection, *, today: str, sieve: bool) -> None:
        self._root = project.root
        self._selection = selection
        self._today = today
        self._sieve = sieve
        self._engines: dict[frozenset[str], Engine] = {}
        self.authority = Authority(
            project.config.allow,
            today=today,
            known=selection.known,
            authorised_words=selection.authorised_words,
        )

    def look(self, path: str) -> FileOutcome:
        """Read a file below the root and examine it."""
        data = read(self._root, path)
        if isinstance(data, NotAnalysed):
            return FileOutcome(path, not_analysed=[data])
        return self.examine(path, data)

    def examine(self, path: str, data: bytes) -> FileOutcome:
        """Return what is found in the content of a file."""
        source = parse(path, data)
        if isinstance(source, NotAnalysed):
            return FileOutcome(path, not_analysed=[source])
        checks = self._selection.checks_for(path) - self._selection.tree_ids
        result = self._engine(checks).analyse(source)
        ran = _checks_that_ran(checks, result.not_analysed)
        sorted_out = self.authority.apply(source, result.findings, ran)
        standing = [f for f in sorted_out.findings if f.check in checks]
        return FileOutcome(
            path, standing, sorted_out.suppressed, result.not_analysed, sorted_out.used
        )

    def digest(self, path: str, data: bytes) -> bytes:
        """Return a digest of what decides the outcome beside engine and configuration."""
        day = self._today if may_hold_comments(data) else ""
        return hashlib.sha256(f"{path}\0{day}\0{self._sieve}\0".encode() + data).digest()

    def _engine(self, checks: frozenset[str]) -> Engine:
        if checks not in self._engines:
            self._engines[checks] = Engine(self._selection.instances(checks), sieve=self._sieve)
        return self._engines[checks]


def _checks_that_ran(checks: Collection[str], problems: list[NotAnalysed]) -> frozenset[str]:
    """Return the checks that looked at all of a file; a slice not read leaves none in that class."""
    if any(not problem.check for problem in problems):
        return frozenset()
    raised = {problem.check for problem in problems}
    return frozenset(set(checks) - raised - set(SUPPRESSION_CHECKS))
