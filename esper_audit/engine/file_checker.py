"""Check one file: triggers, `ast` pass, LibCST pass, suppressions, and what was not analysed."""

from __future__ import annotations

from collections.abc import Collection
from time import process_time

import msgspec

from esper_audit.engine.ast_pass import AstPass
from esper_audit.engine.slices import Slice, slices_of
from esper_audit.engine.triggers import Candidate, TriggerTable
from esper_audit.findings.file_outcome import CheckTiming, FileOutcome
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.project.engine_fingerprint import content_digest
from esper_audit.project.workers.limited_work import set_status
from esper_audit.rules.rule import CstRule, Rule
from esper_audit.rules.selection import Selection
from esper_audit.rules.suppression.suppression_checks import SUPPRESSION_CHECKS
from esper_audit.rules.suppression.suppression_comments import may_hold_comments
from esper_audit.rules.suppression.suppressions import Suppressor
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.source import Source, parse, read
from esper_audit.tracking.fingerprint import assign_fingerprints


class SourceFindings(msgspec.Struct, frozen=True):
    """The findings of a set of rules in one source, sorted by place, and the rules that failed on it."""

    findings: list[Finding]
    not_analysed: list[NotAnalysed]


class FileChecker:
    """Check the files below `root`, each with the rules that `selection` switches on for its path.

    `today` is an ISO date, against which suppressions expire. Without `prefilter` every
    rule checks all nodes of its types, and LibCST parses files whole for the rules that read its tree.
    """

    def __init__(
        self,
        root: str,
        selection: Selection,
        suppressor: Suppressor,
        *,
        today: str,
        prefilter: bool,
        timing: bool = False,
    ) -> None:
        self._root = root
        self._selection = selection
        self._suppressor = suppressor
        self._today = today
        self._prefilter = prefilter
        self._timing = timing
        self._triggers: dict[frozenset[str], TriggerTable] = {}
        self._active: dict[str, frozenset[str]] = {}

    def load_rules(self, path: str, data: bytes) -> None:
        """Import the rules that `check_file` will run on a file with this content.

        Worker processes inherit them, so that no rule is imported twice.

        Raises:
            RuleLoadError: a rule does not load.
        """
        triggers = self._triggers_of(self._file_checks(path))
        self._active[path] = active_rules(triggers, data, prefilter=self._prefilter)
        triggers.load(self._active[path])

    def check_file(
        self, path: str, without: Collection[str] = (), *, data: bytes | None = None
    ) -> FileOutcome:
        """Check one file without the rules named in `without`, with `data` in place of its content on disk."""
        content = read(self._root, path) if data is None else data
        source = parse(path, content) if isinstance(content, bytes) else content
        if isinstance(source, NotAnalysed):
            return FileOutcome(path, not_analysed=[source])
        checks = self._file_checks(path)
        triggers = self._triggers_of(checks)
        active = self._active.get(path) if data is None else None
        if active is None:
            active = active_rules(triggers, source.data, prefilter=self._prefilter)
        timings: list[CheckTiming] | None = [] if self._timing else None
        result = run_rules(
            source, triggers, active - set(without), prefilter=self._prefilter, timings=timings
        )
        completed = _completed_checks(checks - set(without), result.not_analysed)
        suppression = self._suppressor.apply(source, result.findings, completed)
        return FileOutcome(
            path,
            [
                self._selection.without_switched_off_fix(finding)
                for finding in suppression.findings
                if finding.check in checks
            ],
            suppression.suppressed,
            result.not_analysed,
            sorted({entry for one in suppression.suppressed for entry in one.suppression.entries}),
            timings=timings or [],
        )

    def digest(self, path: str, data: bytes) -> bytes:
        """Return a digest of what decides the outcome of a file beside engine and configuration."""
        day = self._today if may_hold_comments(data) else ""
        return content_digest(f"{path}\0{day}\0{self._prefilter}\0".encode() + data)

    def _file_checks(self, path: str) -> frozenset[str]:
        """Return the ids of the checks that are on for a file and read one file."""
        return self._selection.checks_for(path) - self._selection.tree_ids

    def _triggers_of(self, checks: frozenset[str]) -> TriggerTable:
        if checks not in self._triggers:
            triggers = self._selection.triggers(checks)
            self._triggers[checks] = TriggerTable(triggers, self._selection.instance)
        return self._triggers[checks]


def active_rules(triggers: TriggerTable, data: bytes, *, prefilter: bool) -> frozenset[str]:
    """Return the ids of the rules to run on a file: without `prefilter` all of them."""
    return triggers.active(data) if prefilter else triggers.rules


def check_source(
    source: Source, triggers: TriggerTable, *, prefilter: bool = True
) -> SourceFindings:
    """Return the findings of all rules of a table in one source."""
    active = active_rules(triggers, source.data, prefilter=prefilter)
    return run_rules(source, triggers, active, prefilter=prefilter)


def run_rules(
    source: Source,
    triggers: TriggerTable,
    active: frozenset[str],
    *,
    prefilter: bool,
    timings: list[CheckTiming] | None = None,
) -> SourceFindings:
    """Return the findings of the active rules in one source.

    Without `prefilter` every rule is run on every node of its types, and LibCST parses the whole file
    for the rules that read its tree. `timings` receives the cost of each rule, if it is given.
    """
    if not active:
        return SourceFindings([], [])
    candidates = triggers.candidates(source, active)
    view = FileView(source, candidates.nodes)
    ast_pass = AstPass(view)
    found: list[tuple[Finding, str]] = []
    cst_candidates: dict[CstRule, list[Candidate]] = {}
    for rule, nodes in candidates.by_rule.items():
        if isinstance(rule, Rule):
            set_status(rule.id)
            start = process_time()
            kept = ast_pass.prefilter(rule, nodes) if prefilter else nodes
            found += ast_pass.run(rule, kept)
            if timings is not None:
                timings.append(CheckTiming(rule.id, 1, len(nodes), process_time() - start))
        elif isinstance(rule, CstRule):
            cst_candidates[rule] = nodes
    view.forget()  # reference counts free the tree: the collector is off
    problems = ast_pass.problems
    if cst_candidates:
        slices = None if prefilter else [Slice.whole(source)]
        in_cst, failed = _run_cst_rules(source, cst_candidates, candidates.aliases, slices)
        found += in_cst
        problems += failed
    set_status("")
    return SourceFindings(assign_fingerprints(found), sorted(set(problems)))


def _run_cst_rules(
    source: Source,
    candidates: dict[CstRule, list[Candidate]],
    aliases: frozenset[str],
    slices: list[Slice] | None,
) -> tuple[list[tuple[Finding, str]], list[NotAnalysed]]:
    """Return the findings of the rules that read LibCST, in the slices of their candidates or in `slices`."""
    problems: list[NotAnalysed] = []
    if slices is None:
        slices, problems = slices_of(source, candidates)
    if not slices:
        return [], problems
    # Imported here: the import of LibCST is slow, and no rule of this package needs it.
    from esper_audit.engine.cst_pass import CstPass

    cst_pass = CstPass(source, list(candidates), aliases)
    return cst_pass.run(slices), [*problems, *cst_pass.problems]


def _completed_checks(checks: Collection[str], problems: list[NotAnalysed]) -> frozenset[str]:
    """Return the checks that read all of a file: none of them where a slice could not be read."""
    if any(not problem.check for problem in problems):
        return frozenset()
    failed = {problem.check for problem in problems}
    return frozenset(set(checks) - failed - set(SUPPRESSION_CHECKS))
