"""What claims look at, opened once for all of them and only where one asks: files, checks, sandbox, index."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any, TypeVar

import msgspec

from esper_audit.claims.address import find
from esper_audit.claims.claim import Claim
from esper_audit.claims.needs import CheckRun, Need, TestRun
from esper_audit.claims.pytest_run import NodeResult
from esper_audit.claims.reply import Reply, cannot_tell, not_installed, stale
from esper_audit.engine.pipeline import CheckRequest, check, discover
from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.probes.sandbox.fork_backend import SandboxError
from esper_audit.probes.sandbox.outcome import GIBIBYTE, Job, JobOutcome, Limits, Returned
from esper_audit.probes.sandbox.pool import TORCH, TORCH_AND_COMPILER, Sandbox
from esper_audit.probes.session import import_target
from esper_audit.project.config import Project
from esper_audit.rules.expected_failures import apply_expectation
from esper_audit.rules.probe_catalogue import probe_modules
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.selection import Selection
from esper_audit.source.index.index import Index, open_index
from esper_audit.source.index.records import Symbol
from esper_audit.source.syntax.source import Source, parse, read

Result = TypeVar("Result", bound=msgspec.Struct)
SUBJECT_LIMITS = Limits(seconds=120)
# Tests may start processes and write files of their own; only what hangs or floods is stopped.
TEST_LIMITS = Limits(seconds=600, memory_bytes=16 * GIBIBYTE, file_bytes=GIBIBYTE)
WORKERS = 2
SUBJECT_JOBS = "esper_audit.probes.subject_queries"
PROBE = f"{SUBJECT_JOBS}:measure_promised_unit"


class ProjectClaimContext:
    """The tree of a project as claims see it; `prepare` runs what they need, then they may answer.

    `audit` is a whole check that was just made, where there is one; it is asked before checking again.
    """

    def __init__(self, project: Project, *, today: str, audit: Audit | None = None) -> None:
        self.root = project.root
        self._project = project
        self._today = today
        self._audits = [audit] if audit is not None else []
        self._outcomes: dict[str, JobOutcome | Reply] = {}
        self._tested: dict[str, NodeResult] | Reply = {}
        self._sources: dict[str, Source | NotAnalysed] = {}
        self._texts: dict[str, str | None] = {}

    @cached_property
    def files(self) -> Sequence[str]:
        """Every Python file that the project audits, relative to the root."""
        return discover(self._project, []).files

    @cached_property
    def index(self) -> Index:
        """Who calls, reads and tests what."""
        return open_index(self._project)

    @cached_property
    def checks(self) -> Collection[str]:
        """The ids of all checks there are."""
        project = self._project
        registry = RuleRegistry(project.local_rules)
        return Selection(registry, project.config, where=project.file).known

    def text(self, path: str) -> str | None:
        """Return the text of a file below the root, None if there is none."""
        if path not in self._texts:
            data = read(self.root, path) if self._is_below_root(path) else None
            text = data.decode("utf-8-sig", "replace") if isinstance(data, bytes) else None
            self._texts[path] = text
        return self._texts[path]

    def source(self, path: str) -> Source | NotAnalysed:
        """Return a Python file as it parses, or why it does not."""
        if path not in self._sources:
            data = read(self.root, path)
            self._sources[path] = data if isinstance(data, NotAnalysed) else parse(path, data)
        return self._sources[path]

    def symbol(self, address: str) -> Symbol | Reply:
        """Return the symbol at an address as the index knows it, or the reply that says what is missing."""
        found = find(address, self)
        if isinstance(found, Reply):
            # What a method assigns to `self` is no statement of the class, but the index knows it.
            known = self.index.symbols(address)
            return known[0] if len(known) == 1 else found
        symbol = self.index.symbol(found.source.path, found.name)
        return symbol or cannot_tell(f"the index does not know {address}", found.place)

    def told_by(self, wish: CheckRun) -> list[Finding] | str:
        """Return what a check found in a file, authorised findings too, or why it did not look there."""
        for audit in self._audits:
            if wish.check in audit.checks_on(wish.path):
                return _said(audit, wish)
        return f"{wish.check} is not on for {wish.path}: the configuration leaves it out"

    def job(self, function: str, arguments: Mapping[str, Any]) -> Job:
        """Return the job that calls a function of `subject_jobs`; equal ones are one."""
        address = f"{SUBJECT_JOBS}:{function}"
        name = msgspec.json.encode([address, arguments]).decode()
        return Job(name, address, dict(arguments), SUBJECT_LIMITS)

    def subject_job(self, function: str, source: str, arguments: Mapping[str, Any]) -> Job | Reply:
        """Return a job that asks subjects, from the file that the claim or the configuration names."""
        configured = self._project.config.subjects
        if not source and len(configured) != 1:
            told = f"the configuration names {len(configured)}" if configured else "none is named"
            return cannot_tell(f"of which file of subjects? {told}; give `subjects: path.py:name`")
        source = source or configured[0]
        place = source.rpartition(":")[0]
        if place.endswith(".py") and not os.path.isfile(os.path.join(self.root, place)):
            return stale(f"there is no file of subjects {place}")
        return self.job(function, {"root": self.root, "source": source, **arguments})

    def record_of(self, unit: str, source: str) -> ProbeRecord | None:
        """Return what a unit of the configured subjects just came to, if this audit probed."""
        if source and source not in self._project.config.subjects:
            return None
        records = (record for audit in self._audits for record in audit.records)
        return next((record for record in records if record.unit == unit), None)

    def as_expected(self, record: ProbeRecord) -> ProbeRecord:
        """Return a record in the light of the failures that the configuration expects."""
        return apply_expectation(record, self._project.config.expect, self._today)

    def result(self, job: Job, kind: type[Result]) -> Result | Reply:
        """Return what a job returned, or the reply that says why it returned nothing."""
        outcome = self._outcomes[job.name]
        if isinstance(outcome, Reply):
            return outcome
        if isinstance(outcome.ending, Returned):
            return msgspec.convert(outcome.ending.value, kind)
        return cannot_tell(self._without_root(f"it {outcome.ending}"))

    def tested(self, node: str) -> NodeResult | Reply:
        """Return how a pytest node went, or the reply that says why none could be run."""
        return self._tested if isinstance(self._tested, Reply) else self._tested[node]

    def close(self) -> None:
        """Keep what was read for the next time."""
        if "index" in vars(self):
            self.index.store.save()

    def prepare(self, claims: Iterable[Claim]) -> None:
        """Run all that the claims need: one check, one sandbox, one run of pytest."""
        needs = {repr(need): need for claim in claims for need in claim.needs(self)}.values()
        self._check([need for need in needs if isinstance(need, CheckRun)])
        self._run(needs)

    def _check(self, wishes: Sequence[CheckRun]) -> None:
        """Check again what no audit so far looked at."""
        missing = [
            w for w in wishes if not any(w.check in a.checks_on(w.path) for a in self._audits)
        ]
        if not missing:
            return
        request = CheckRequest(
            paths=sorted({os.path.join(self.root, wish.path) for wish in missing}),
            select=sorted({wish.check for wish in missing}),
            baseline=False,
            today=self._today,
            jobs=1,
        )
        self._audits.append(check(self._project, request))

    def _run(self, needs: Iterable[Need]) -> None:
        """Do the jobs, and the tests as one job beside them."""
        jobs = [need for need in needs if isinstance(need, Job)]
        nodes = sorted(need.node for need in needs if isinstance(need, TestRun))
        asks_subjects = [job for job in jobs if job.arguments["source"]]
        if not _is_installed("torch"):
            self._outcomes.update({job.name: not_installed("torch") for job in asks_subjects})
            jobs = [job for job in jobs if job.name not in self._outcomes]
        arguments: dict[str, object] = {"root": self.root, "nodes": nodes}
        tests = Job("tests", "esper_audit.claims.pytest_run:run_nodes", arguments, TEST_LIMITS)
        if nodes and _is_installed("pytest"):
            jobs.append(tests)
        if jobs:
            self._do(jobs)
        if nodes:
            self._tested = self._nodes(self._outcomes.pop(tests.name, not_installed("pytest")))

    def _do(self, jobs: Sequence[Job]) -> None:
        workers = min(WORKERS, len(jobs))
        try:
            with Sandbox(
                _trusted(jobs),
                packages=self._packages(jobs),
                search_path=[self.root],
                workers=workers,
            ) as sandbox:
                self._outcomes.update({outcome.job: outcome for outcome in sandbox.run(jobs)})
        except SandboxError as error:
            failed = cannot_tell(self._without_root(f"the sandbox failed: {error}"))
            self._outcomes = {**{job.name: failed for job in jobs}, **self._outcomes}

    def _packages(self, jobs: Iterable[Job]) -> list[str]:
        """Return the files of subjects that jobs ask, to be imported once for all of them."""
        sources = {str(job.arguments.get("source", "")) for job in jobs} - {""}
        return sorted(import_target(self._project, source) for source in sources)

    def _nodes(self, outcome: JobOutcome | Reply) -> dict[str, NodeResult] | Reply:
        if isinstance(outcome, Reply):
            return outcome
        if isinstance(outcome.ending, Returned):
            return msgspec.convert(outcome.ending.value, dict[str, NodeResult])
        return cannot_tell(self._without_root(f"the run of the tests {outcome.ending}"))

    def _without_root(self, said: str) -> str:
        """Return a text without the place of this tree on this machine."""
        return said.replace(self.root + os.sep, "")

    def _is_below_root(self, path: str) -> bool:
        full = os.path.realpath(os.path.join(self.root, path))
        return os.path.isfile(full) and full.startswith(os.path.realpath(self.root) + os.sep)


def _said(audit: Audit, wish: CheckRun) -> list[Finding] | str:
    """Return the findings of a check in a file, unless something kept it from looking at all of it."""
    for problem in audit.not_analysed:
        if problem.path == wish.path and problem.check in ("", wish.check):
            return problem.sentence()
    kept = [*(s.finding for s in audit.suppressed), *(t.finding for t in audit.ticketed)]
    everything = [*audit.findings, *kept]
    return [f for f in everything if (f.check, f.location.path) == (wish.check, wish.path)]


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


def _trusted(jobs: Sequence[Job]) -> Sequence[str]:
    """Return what is imported before any job: the probes, which import much, only for those who ask them."""
    if any(job.function == PROBE for job in jobs):
        return (*TORCH_AND_COMPILER, *probe_modules())
    return TORCH if any(job.arguments.get("source") for job in jobs) else ()
