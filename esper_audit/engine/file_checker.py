"""One file through the rules: words, sieve, slices, LibCST, findings; what could not be done is said, not skipped."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import msgspec

from esper_audit.engine.prefilter import Prefilter, Slice
from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.project.config import Project
from esper_audit.rules.rule import Rule
from esper_audit.rules.selection import Selection
from esper_audit.rules.suppression_comments import may_hold_comments
from esper_audit.rules.suppressions import SUPPRESSION_CHECKS, Suppressor
from esper_audit.source.syntax.source import Source, parse, read
from esper_audit.tracking.fingerprint import assign_fingerprints


class FileResult(msgspec.Struct, frozen=True):
    """What the rules say of one file, and which of them could not be asked."""

    findings: list[Finding]
    not_analysed: list[NotAnalysed]


class Engine:
    """A set of rules, ready to be asked about files; `sieve=False` hands LibCST every file whole."""

    def __init__(self, rules: Sequence[Rule], *, sieve: bool = True) -> None:
        self._sieve = Prefilter(rules)
        self._with_sieve = sieve

    def analyse(self, source: Source) -> FileResult:
        """Return the findings of one file, sorted by place."""
        active = self._sieve.active(source)
        if not active:
            return FileResult([], [])
        hits, aliases = self._sieve.candidates(source, active)
        if self._with_sieve:
            slices, problems = self._sieve.slices(source, hits)
        else:
            slices, problems = [Slice.whole(source)], []
        rules = sorted(active, key=lambda rule: rule.id)
        found = _confirm(source, slices, rules, aliases, problems)
        return FileResult(assign_fingerprints(found), sorted(set(problems)))


def _confirm(
    source: Source,
    slices: Sequence[Slice],
    rules: Sequence[Rule],
    aliases: frozenset[str],
    problems: list[NotAnalysed],
) -> list[tuple[Finding, str]]:
    """Ask LibCST; not imported, nor is anything that imports it, where no slice has to be read."""
    if not slices:
        return []
    from esper_audit.engine.cst_pass import CstPass

    confirmation = CstPass(source, rules, aliases, problems)
    return [found for piece in slices for found in confirmation.read(piece)]


class FileChecker:
    """Knows the rules, the authorisations and the day; looks at one file after the other."""

    def __init__(self, project: Project, selection: Selection, *, today: str, sieve: bool) -> None:
        self._root = project.root
        self._selection = selection
        self._today = today
        self._sieve = sieve
        self._engines: dict[frozenset[str], Engine] = {}
        self.authority = Suppressor(
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
