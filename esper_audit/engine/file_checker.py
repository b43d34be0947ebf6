"""Check one file: prefilter, LibCST pass, suppressions; what cannot be checked is reported as not analysed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import msgspec

from esper_audit.engine.prefilter import Prefilter, Slice
from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.rules.selection import Selection
from esper_audit.rules.suppression_comments import may_hold_comments
from esper_audit.rules.suppressions import SUPPRESSION_CHECKS, Suppressor
from esper_audit.source.syntax.source import Source, parse, read
from esper_audit.tracking.fingerprint import assign_fingerprints


class SourceFindings(msgspec.Struct, frozen=True):
    """The findings of a set of rules in one source, sorted by place, and the rules that failed on it."""

    findings: list[Finding]
    not_analysed: list[NotAnalysed]


class FileChecker:
    """Check the files below `root`, each with the rules that `selection` switches on for its path.

    `today` is an ISO date, against which suppressions expire. Without `prefilter` LibCST reads every
    file whole.
    """

    def __init__(
        self,
        root: str,
        selection: Selection,
        suppressor: Suppressor,
        *,
        today: str,
        prefilter: bool,
    ) -> None:
        self._root = root
        self._selection = selection
        self._suppressor = suppressor
        self._today = today
        self._prefilter = prefilter
        self._prefilters: dict[frozenset[str], Prefilter] = {}

    def check_file(self, path: str, data: bytes | None = None) -> FileOutcome:
        """Check one file; `data` replaces its content on disk."""
        content = read(self._root, path) if data is None else data
        source = parse(path, content) if isinstance(content, bytes) else content
        if isinstance(source, NotAnalysed):
            return FileOutcome(path, not_analysed=[source])
        checks = self._selection.checks_for(path) - self._selection.tree_ids
        result = check_source(source, self._prefilter_of(checks), prefilter=self._prefilter)
        completed = _completed_checks(checks, result.not_analysed)
        suppression = self._suppressor.apply(source, result.findings, completed)
        return FileOutcome(
            path,
            [finding for finding in suppression.findings if finding.check in checks],
            suppression.suppressed,
            result.not_analysed,
            suppression.used,
        )

    def digest(self, path: str, data: bytes) -> bytes:
        """Return a digest of what decides the outcome of a file beside engine and configuration."""
        day = self._today if may_hold_comments(data) else ""
        return hashlib.sha256(f"{path}\0{day}\0{self._prefilter}\0".encode() + data).digest()

    def _prefilter_of(self, checks: frozenset[str]) -> Prefilter:
        if checks not in self._prefilters:
            self._prefilters[checks] = Prefilter(self._selection.instances(checks))
        return self._prefilters[checks]


def check_source(source: Source, rules: Prefilter, *, prefilter: bool = True) -> SourceFindings:
    """Return the findings of the rules in one source; without `prefilter` all of it is parsed by LibCST."""
    active = rules.active(source)
    if not active:
        return SourceFindings([], [])
    hits, aliases = rules.candidates(source, active)
    slices, problems = rules.slices(source, hits) if prefilter else ([Slice.whole(source)], [])
    if not slices:
        return SourceFindings([], sorted(set(problems)))
    # Imported here: a file without slices needs no LibCST, whose import costs as much as ten Pythons.
    from esper_audit.engine.cst_pass import CstPass

    cst_pass = CstPass(source, sorted(active, key=lambda rule: rule.id), aliases)
    findings = assign_fingerprints(cst_pass.run(slices))
    return SourceFindings(findings, sorted({*problems, *cst_pass.problems}))


def _completed_checks(checks: Collection[str], problems: list[NotAnalysed]) -> frozenset[str]:
    """Return the checks that read all of a file: none of them where a slice could not be read."""
    if any(not problem.check for problem in problems):
        return frozenset()
    failed = {problem.check for problem in problems}
    return frozenset(set(checks) - failed - set(SUPPRESSION_CHECKS))
