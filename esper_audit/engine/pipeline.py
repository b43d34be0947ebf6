"""The steps of a check: select the rules, discover the files, check each, check the tree, collect the audit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from esper_audit.engine.configured_exceptions import expiring_soon, with_exception_findings
from esper_audit.engine.file_checker import FileChecker
from esper_audit.engine.outcome_cache import open_outcomes
from esper_audit.findings.audit import Audit, added_timings
from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.findings.finding import NotAnalysed, Suppressed
from esper_audit.findings.shard import WHOLE, Shard
from esper_audit.project.config import Project
from esper_audit.project.discovery import NO_PYTHON, Discovery, relative
from esper_audit.project.workers.limited_work import Work, WorkLimits
from esper_audit.project.workers.parallel import collector_off, map_files
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.selection import Selection
from esper_audit.rules.suppression.suppressions import Suppressor
from esper_audit.source.syntax.source import read
from esper_audit.text.progress import Progress
from esper_audit.tracking.baseline import read_baseline

if TYPE_CHECKING:
    from esper_audit.engine.fixes import FixedFile, FixMode
    from esper_audit.engine.tree_engine import TreeCheck, TreeResult
    from esper_audit.project.workers.spawned_worker import NamedWork


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of one check.

    `paths` are absolute. Without paths those of the project are checked. `whole` also runs the tree
    rules that are on by default. `impact` computes the impact of every finding from the whole tree.
    Without either, and with no tree rule selected, only `paths` are read.
    """

    paths: list[str] = []
    select: list[str] = []
    ignore: list[str] = []
    since: str = ""
    jobs: int = 0
    prefilter: bool = True
    cache: bool = True
    baseline: bool = True
    whole: bool = False
    impact: bool = False
    timing: bool = False
    shard: Shard = WHOLE
    today: str


def check(project: Project, request: CheckRequest, progress: Progress | None = None) -> Audit:
    """Run the rules over the files of a project."""
    with collector_off():
        run = _CheckRun(project, request)
        discovery = discover(project, request.paths)
        files = discovery.files
        if request.since:
            from esper_audit.project.git import changed_since

            changed = changed_since(project.root, request.since)
            files = [file for file in files if file in changed]
        outcomes = run.check_files(request.shard.of(files), progress)
        tree_check = run.check_tree(outcomes)
        audit = run.collect(outcomes, discovery, tree_check)
        if not request.paths and not request.since and request.shard.is_whole:
            on = run.selection.base
            audit = with_exception_findings(audit, project, on, request.today)
        if request.since:
            from esper_audit.engine.since_revision import without_old

            before = tree_check.fingerprints_before if tree_check else None
            audit = without_old(audit, run.checker, changed, before)
        if request.impact and tree_check is not None:
            audit = tree_check.with_impact(audit, whole=request.whole)
        return _without_ticketed(audit, project, request.today) if request.baseline else audit


def check_text(project: Project, request: CheckRequest, path: str, data: bytes) -> Audit:
    """Run the rules over `data` in place of the content of the file at `path` (absolute)."""
    run = _CheckRun(project, request)
    relative_path = relative(project.root, path)
    if Discovery(project.root, project.config.exclude).is_excluded(path):
        return msgspec.structs.replace(run.collect([], None, None), excluded=[relative_path])
    buffers = {relative_path: data}
    outcomes = [run.checker.check_file(relative_path, data=data)]
    tree_check = run.check_tree(outcomes, buffers)
    audit = run.collect(outcomes, None, tree_check)
    if request.impact and tree_check is not None:
        audit = tree_check.with_impact(audit)
    return _without_ticketed(audit, project, request.today, buffers)


def fix(project: Project, request: CheckRequest, mode: FixMode) -> list[FixedFile]:
    """Apply the fixes of every file that parses, and return the changed files."""
    checker = _CheckRun(project, request).checker
    files = discover(project, request.paths).files
    fixed = (mode.fix_file(project.root, checker, path) for path in files)
    return [file for file in fixed if file is not None]


def fix_text(
    project: Project, request: CheckRequest, mode: FixMode, path: str, data: bytes
) -> FixedFile | None:
    """Return `data`, the content of the file at `path` (absolute), fixed, or None if it does not change."""
    if Discovery(project.root, project.config.exclude).is_excluded(path):
        return None
    checker = _CheckRun(project, request).checker
    return mode.fix_data(checker, relative(project.root, path), data)


def discover(project: Project, paths: Sequence[str]) -> Discovery:
    """Find the files below `paths` (absolute), or below the paths of the configuration."""
    searched = paths or [project.resolve(path) for path in project.config.paths]
    return Discovery(project.root, project.config.exclude).run(searched)


def check_file_of(payload: bytes) -> Work[FileOutcome]:
    """Return the `check_file` of a project and a request, which another interpreter has encoded."""
    project, request = msgspec.json.decode(payload, type=tuple[Project, CheckRequest])
    return _CheckRun(project, request).checker.check_file


class _CheckRun:
    """The parts of one check: its selection of rules and its file checker."""

    def __init__(self, project: Project, request: CheckRequest) -> None:
        self._project = project
        self._request = request
        self.selection = Selection(
            RuleRegistry(project.local_rules),
            project.config,
            where=project.file,
            root=project.root,
            select=request.select,
            ignore=request.ignore,
            whole=request.whole,
        )
        self.suppressor = Suppressor(
            project.config.allow,
            today=request.today,
            known=self.selection.known,
            authorised_words=self.selection.authorised_words,
            policy=project.config.suppressions,
        )
        self.checker = FileChecker(
            project.root,
            self.selection,
            self.suppressor,
            today=request.today,
            prefilter=request.prefilter,
            timing=request.timing,
        )

    def check_files(self, files: Sequence[str], progress: Progress | None) -> list[FileOutcome]:
        """Return the outcome of every file, from the cache where its content is known."""
        root, request = self._project.root, self._request
        chosen = [request.select, request.ignore, sorted(self.selection.base)]
        cache = open_outcomes(self._project, chosen, enabled=request.cache)
        outcomes: list[FileOutcome] = []
        pending: dict[str, bytes] = {}
        for path in files:
            data = read(root, path)
            if isinstance(data, NotAnalysed):
                outcomes.append(FileOutcome(path, not_analysed=[data]))
                continue
            digest = self.checker.digest(path, data)
            cached = cache.get(path, digest)
            if cached is None:
                pending[path] = digest
                self.checker.load_rules(path, data)
            else:
                outcomes.append(cached)
        limits = WorkLimits(
            self._project.config.checking.seconds, self._project.config.checking.memory
        )
        work, jobs = self.checker.check_file, self._request.jobs
        named = None if "fork" in vars(os) else self._named_work()
        done = map_files(work, list(pending), jobs, FileOutcome, limits=limits, named=named)
        for outcome in done:
            if not outcome.lost:
                cache.put(outcome.path, pending[outcome.path], outcome)
            outcomes.append(outcome)
            if progress is not None:
                progress(len(outcomes), len(files))
        cache.save()
        return outcomes

    def _named_work(self) -> NamedWork:
        """Return `check_file` for another interpreter, which makes the same parts anew."""
        from esper_audit.project.workers.spawned_worker import NamedWork

        payload = msgspec.json.encode((self._project, self._request))
        return NamedWork(f"{__name__}:{check_file_of.__name__}", payload)

    def check_tree(
        self, outcomes: Sequence[FileOutcome], buffers: Mapping[str, bytes] | None = None
    ) -> TreeCheck | None:
        """Check the whole tree if a tree rule is on or impact is requested, else return None."""
        selection, request = self.selection, self._request
        scope = {o.path: selection.checks_for(o.path) & selection.tree_ids for o in outcomes}
        if not request.impact and not any(scope.values()):
            return None
        # Imported here: a check of files alone needs no index.
        from esper_audit.engine.tree_engine import TreeCheck
        from esper_audit.source.index.index import open_index

        tree_check = TreeCheck(
            self._project.root,
            partial(open_index, self._project, paths=request.paths),
            selection.tree_instances(set().union(*scope.values())),
            self.suppressor,
        )
        return tree_check.run(scope, buffers or {}, cache=request.cache)

    def collect(
        self,
        outcomes: Sequence[FileOutcome],
        discovery: Discovery | None,
        tree_check: TreeCheck | None,
    ) -> Audit:
        """Return the audit of all outcomes, in an order that does not depend on theirs."""
        selection = self.selection
        failed = tree_check.result.failed if tree_check else frozenset()
        checked = {o.path: selection.checks_for(o.path) - failed for o in outcomes}
        on = set().union(selection.base, *(selection.checks_for(o.path) for o in outcomes))
        unread = self._request.shard.of(discovery.problems) if discovery else []
        parts: list[FileOutcome | TreeResult] = [*outcomes]
        parts += [tree_check.result] if tree_check else []
        suppressed = sorted((s for p in parts for s in p.suppressed), key=lambda s: s.finding.order)
        found = [selection.with_severity(f) for p in parts for f in p.findings]
        return Audit(
            root=self._project.root,
            findings=sorted(found, key=lambda f: f.order),
            suppressed=suppressed,
            expiring=self._expiring(suppressed),
            not_analysed=sorted({*unread, *(n for p in parts for n in p.not_analysed)}),
            files=len(outcomes) + sum(problem.reason != NO_PYTHON for problem in unread),
            checks=sorted(on),
            shard=self._request.shard,
            notebooks=discovery.notebooks if discovery else 0,
            off=sorted(selection.known - on),
            not_adopted=sorted(selection.adoption.not_adopted),
            excluded=discovery.excluded_by_configuration if discovery else [],
            checked=checked,
            files_read=self._files_read(outcomes, discovery)
            + (tree_check.files_read if tree_check else []),
            directories_listed=[
                *(discovery.directories if discovery else []),
                *(tree_check.directories if tree_check else []),
            ],
            timings=added_timings(timing for outcome in outcomes for timing in outcome.timings),
        )

    def _expiring(self, suppressed: Sequence[Suppressed]) -> list[Suppressed]:
        days = self._project.config.suppressions.warn_days
        return expiring_soon(suppressed, days, self._request.today)

    def _files_read(
        self, outcomes: Sequence[FileOutcome], discovery: Discovery | None
    ) -> list[str]:
        """Return every file that decided the findings, missing configuration files included."""
        project, config = self._project, self._project.config
        contracts = [project.resolve(config.contracts)] if config.contracts else []
        ignore_files = discovery.ignore_files if discovery else []
        checked = (project.resolve(outcome.path) for outcome in outcomes)
        return [*project.searched_files, *contracts, *project.local_rules, *ignore_files, *checked]


def _without_ticketed(
    audit: Audit, project: Project, today: str, buffers: Mapping[str, bytes] | None = None
) -> Audit:
    """Move the findings that have a ticket out of the findings."""
    tickets = project.resolve(project.config.tickets)
    return read_baseline(tickets, today).apply(audit, tickets, buffers or {})
