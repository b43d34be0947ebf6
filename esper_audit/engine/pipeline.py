"""The order of a check: discover, select, look at every file, collect; `whole_audit.py` goes on from there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from esper_audit.engine.file_checker import FileChecker
from esper_audit.engine.fixes import FixedFile, FixMode
from esper_audit.engine.since_revision import without_old
from esper_audit.findings.audit import Audit
from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.config import Project
from esper_audit.project.content_cache import ContentCache, content_digest, engine_fingerprint
from esper_audit.project.discovery import Discovery, relative
from esper_audit.project.git import changed_since
from esper_audit.project.parallel import collector_off, outcomes
from esper_audit.rules.selection import Selection
from esper_audit.rules.suppressions import idle_exceptions
from esper_audit.source.syntax.source import read
from esper_audit.tracking.baseline import read_baseline

if TYPE_CHECKING:
    from esper_audit.engine.tree_engine import TreeCheck, TreeResult


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of `check` is asked to do; `paths` are absolute, none means those of the project.

    `whole` also runs the tree rules that are on by default, `impact` asks the whole tree about every
    finding; without either, and with no tree rule selected, nothing but `paths` is read.
    """

    paths: list[str] = []
    select: list[str] = []
    ignore: list[str] = []
    since: str = ""
    jobs: int = 0
    sieve: bool = True
    cache: bool = True
    baseline: bool = True
    whole: bool = False
    impact: bool = False
    today: str


Progress = Callable[[int, int], None]


def check(project: Project, request: CheckRequest, progress: Progress | None = None) -> Audit:
    """Run the rules over the files of a project."""
    with collector_off():
        selection, analyst = _prepared(project, request)
        found = discover(project, request.paths)
        files = found.files
        if request.since:
            changed = changed_since(project.root, request.since)
            files = [file for file in files if file in changed]
        looked_at = look_at(project, analyst, files, request, progress)
        surveyed = _survey(project, selection, analyst, request, looked_at)
        audit = collect(project, selection, looked_at, found, surveyed)
        if not request.paths and not request.since:
            used = {position for outcome in looked_at for position in outcome.used}
            used |= set(surveyed.result.used) if surveyed else set()
            audit = _with_idle_exceptions(audit, project, selection, used, request.today)
        if request.since:
            before = surveyed.fingerprints_before if surveyed else None
            audit = without_old(audit, analyst, changed, before)
        if request.impact and surveyed is not None:
            audit = surveyed.with_impact(audit)
        return _without_known(audit, project) if request.baseline else audit


def check_text(project: Project, request: CheckRequest, path: str, data: bytes) -> Audit:
    """Run the rules over one text that stands for the file at `path` (absolute)."""
    selection, analyst = _prepared(project, request)
    shown = relative(project.root, path)
    outcome = analyst.examine(shown, data)
    surveyed = _survey(project, selection, analyst, request, [outcome], texts={shown: data})
    audit = collect(project, selection, [outcome], None, surveyed)
    if request.impact and surveyed is not None:
        audit = surveyed.with_impact(audit)
    return _without_known(audit, project, {shown: data})


def fix(project: Project, request: CheckRequest, fixing: FixMode) -> list[FixedFile]:
    """Repair what has a fix, file by file; a file that does not parse is left alone."""
    _, analyst = _prepared(project, request)
    repaired = (
        fixing.repair(project, analyst, path) for path in discover(project, request.paths).files
    )
    return [fixed for fixed in repaired if fixed is not None]


def _prepared(project: Project, request: CheckRequest) -> tuple[Selection, FileChecker]:
    selection = Selection(
        project, select=request.select, ignore=request.ignore, whole=request.whole
    )
    return selection, FileChecker(project, selection, today=request.today, sieve=request.sieve)


def discover(project: Project, paths: Sequence[str]) -> Discovery:
    """Find the files to look at."""
    wanted = paths or [project.resolve(path) for path in project.config.paths]
    return Discovery(project.root, project.config.exclude).run(wanted)


def look_at(
    project: Project,
    analyst: FileChecker,
    files: Sequence[str],
    request: CheckRequest,
    progress: Progress | None = None,
) -> list[FileOutcome]:
    """Return the outcome of every file, from the cache where its content is known."""
    made_by = _engine_fingerprint(project, request)
    cache = ContentCache(project.root, "files", made_by, FileOutcome, enabled=request.cache)
    done: list[FileOutcome] = []
    pending: dict[str, bytes] = {}
    for path in files:
        data = read(project.root, path)
        if isinstance(data, NotAnalysed):
            done.append(FileOutcome(path, not_analysed=[data]))
            continue
        digest = analyst.digest(path, data)
        known = cache.get(path, digest)
        if known is None:
            pending[path] = digest
        else:
            done.append(known)
    for outcome in outcomes(analyst.look, list(pending), request.jobs, FileOutcome):
        if not outcome.lost:
            cache.put(outcome.path, pending[outcome.path], outcome)
        done.append(outcome)
        if progress is not None:
            progress(len(done), len(files))
    cache.save()
    return done


def _survey(
    project: Project,
    selection: Selection,
    analyst: FileChecker,
    request: CheckRequest,
    looked_at: Sequence[FileOutcome],
    *,
    texts: Mapping[str, bytes] | None = None,
) -> TreeCheck | None:
    """Read the whole tree, if a tree rule is on or the impact is asked for; None spares the import too."""
    scope = {o.path: selection.checks_for(o.path) & selection.tree_ids for o in looked_at}
    if not request.impact and not any(scope.values()):
        return None
    from esper_audit.engine.tree_engine import TreeCheck

    rules = selection.tree_instances(set().union(*scope.values()))
    surveyed = TreeCheck(project, rules, analyst.authority, request.paths, cache=request.cache)
    return surveyed.run(scope, texts or {})


def collect(
    project: Project,
    selection: Selection,
    looked_at: Sequence[FileOutcome],
    found: Discovery | None,
    surveyed: TreeCheck | None = None,
) -> Audit:
    """Bring the outcomes of all files, and of the tree, into one order, whatever order they came in."""
    failed = surveyed.result.failed if surveyed else frozenset()
    checked = {o.path: selection.checks_for(o.path) - failed for o in looked_at}
    on = set().union(selection.base, *(selection.checks_for(o.path) for o in looked_at))
    problems = found.problems if found else []
    everything: list[FileOutcome | TreeResult] = [*looked_at]
    everything += [surveyed.result] if surveyed else []
    return Audit(
        root=project.root,
        findings=sorted((f for o in everything for f in o.findings), key=lambda f: f.order),
        suppressed=sorted(
            (s for o in everything for s in o.suppressed), key=lambda s: s.finding.order
        ),
        not_analysed=sorted({*problems, *(n for o in everything for n in o.not_analysed)}),
        files=len(looked_at) + len(problems),
        checks=sorted(on),
        off=sorted(selection.known - on),
        excluded=found.excluded_by_configuration if found else [],
        checked=checked,
        files_read=[
            *_files_read(project, looked_at, found),
            *(surveyed.files_read if surveyed else []),
        ],
        directories_listed=[
            *(found.directories if found else []),
            *(surveyed.directories if surveyed else []),
        ],
    )


def _files_read(
    project: Project, looked_at: Sequence[FileOutcome], found: Discovery | None
) -> list[str]:
    """Return every file that decided what was found, the configuration files looked for included."""
    config = project.config
    named = [project.resolve(path) for path in (config.contracts, *config.local_rules) if path]
    ignores = found.ignore_files if found else []
    return [
        *project.searched_files,
        *named,
        *ignores,
        *(project.resolve(o.path) for o in looked_at),
    ]


def _with_idle_exceptions(
    audit: Audit,
    project: Project,
    selection: Selection,
    used: Collection[int],
    today: str,
) -> Audit:
    """Add findings for exceptions of the configuration that are expired or silenced nothing."""
    ran = dict(audit.checked)
    for problem in audit.not_analysed:
        ran.pop(problem.path, None)
    idle = idle_exceptions(project, used, ran, today)
    idle = [finding for finding in idle if finding.check in selection.base]
    return msgspec.structs.replace(
        audit, findings=sorted([*audit.findings, *idle], key=lambda f: f.order)
    )


def _without_known(
    audit: Audit, project: Project, buffers: Mapping[str, bytes] | None = None
) -> Audit:
    """Set aside the findings that have a ticket."""
    tickets = project.resolve(project.config.tickets)
    return read_baseline(tickets).apply(audit, tickets, buffers or {})


def _engine_fingerprint(project: Project, request: CheckRequest) -> bytes:
    config = msgspec.json.encode([project.config, request.select, request.ignore], order="sorted")
    local = [
        f"{path}\0{_digest_of(path)}" for path in map(project.resolve, project.config.local_rules)
    ]
    return engine_fingerprint([config, *(os.fsencode(one) for one in local)])


def _digest_of(path: str) -> str:
    with open(path, "rb") as file:
        return content_digest(file.read()).hex()
