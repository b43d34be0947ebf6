"""What the answers to claims read of a project: files, index, checks, probes and tests, each loaded once."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import Any, TypeVar

import msgspec

from esper_audit.claims.claim import Claim
from esper_audit.claims.code_tokens import CodeTokens
from esper_audit.claims.needs import CheckRun, Need, PytestRun
from esper_audit.claims.pytest_run import NodeResult
from esper_audit.claims.registry import needs
from esper_audit.claims.reply import Reply, cannot_tell, not_installed, stale
from esper_audit.claims.symbol_lookup import LocatedSymbol, find_symbol
from esper_audit.engine.pipeline import CheckRequest, check
from esper_audit.findings.audit import Audit
from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.probes.sandbox.fork_backend import SandboxError
from esper_audit.probes.sandbox.outcome import GIBIBYTE, Job, JobOutcome, Limits, Returned
from esper_audit.probes.sandbox.pool import TORCH, TORCH_AND_COMPILER, Sandbox
from esper_audit.probes.session import import_target
from esper_audit.project.config import Project
from esper_audit.rules.probe_catalogue import probe_modules
from esper_audit.rules.registry import RuleRegistry
from esper_audit.rules.selection import Selection
from esper_audit.rules.suppression.expected_failures import apply_expectation
from esper_audit.source.index.index import Index, open_index
from esper_audit.source.index.records import Symbol
from esper_audit.source.syntax.source import Source
from esper_audit.workflow.project_texts import ProjectTexts
from esper_audit.workflow.reported_findings import NOTHING_REPORTED, ReportedFindings

Result = TypeVar("Result", bound=msgspec.Struct)
SUBJECT_LIMITS = Limits(seconds=120)
# Tests may start processes and write files of their own; only what hangs or floods is stopped.
TEST_LIMITS = Limits(seconds=600, memory_bytes=16 * GIBIBYTE, file_bytes=GIBIBYTE)
WORKERS = 2
SUBJECT_JOBS = "esper_audit.probes.subject_queries"
PROBE = f"{SUBJECT_JOBS}:measure_promised_unit"


class ProjectClaimContext:
    """The tree of a project.

    `prepare` runs what claims need before they are answered. `audit` is the result of a check of the
    whole project, if one was just made. What it contains is not checked again. `reported` are the
    findings that earlier runs recorded in tickets.
    """

    def __init__(
        self,
        project: Project,
        *,
        today: str,
        audit: Audit | None = None,
        reported: ReportedFindings = NOTHING_REPORTED,
    ) -> None:
        self.root = project.root
        self._project = project
        self._today = today
        self._reported = reported
        self._audits = [audit] if audit is not None else []
        self._outcomes: dict[str, JobOutcome | Reply] = {}
        self._node_results: dict[str, NodeResult] | Reply = {}
        self._texts = ProjectTexts(project)

    @cached_property
    def files(self) -> Sequence[str]:
        """Every Python file that the project audits, relative to the root."""
        return self._texts.files

    @cached_property
    def index(self) -> Index:
        """The index of calls, reads and tests."""
        return open_index(self._project)

    @cached_property
    def checks(self) -> Collection[str]:
        """The ids of all checks."""
        project = self._project
        registry = RuleRegistry(project.local_rules)
        return Selection(registry, project.config, where=project.file, root=project.root).known

    def text(self, path: str) -> str | None:
        """Return the text of a file below the root, None if there is none."""
        return self._texts.text(path)

    def source(self, path: str) -> Source | NotAnalysed:
        """Return a parsed Python file, or the reason why it does not parse."""
        return self._texts.source(path)

    def code_tokens(self, path: str) -> CodeTokens | None:
        """Return the tokens of a file below the root, None if there is none."""
        return self._texts.code_tokens(path)

    def files_with(self, words: Iterable[str]) -> list[str]:
        """Return the Python files that contain all of the words, none for no words."""
        return self._texts.files_with(words)

    def symbol(self, address: str) -> Symbol | Reply:
        """Return the symbol at an address, or the reply that names what is missing."""
        found = find_symbol(address, self)
        if isinstance(found, Reply):
            # An attribute that a method assigns to `self` is in the index, but no statement of the class.
            known = self.index.symbols(address)
            return known[0] if len(known) == 1 else found
        symbol = self.index.symbol(found.source.path, found.name)
        return symbol or cannot_tell(f"{address} is not in the index", found.place)

    def findings(self, run: CheckRun) -> list[Finding] | str:
        """Return the findings of a check in a file, authorised ones too, or why it was not checked."""
        for audit in self._audits:
            if run.check in audit.checks_on(run.path):
                return _findings(audit, run)
        return f"{run.check} is off for {run.path} in the configuration"

    def was_reported(self, check: str, at: str, symbol: LocatedSymbol) -> bool:
        """Return whether a check ever reported a symbol, by what the tickets record."""
        return self._reported.includes(check, at, symbol)

    def job(self, function: str, arguments: Mapping[str, Any]) -> Job:
        """Return the job that calls a function of `probes/subject_queries.py`, one for equal calls."""
        address = f"{SUBJECT_JOBS}:{function}"
        name = msgspec.json.encode([address, arguments]).decode()
        return Job(name, address, dict(arguments), SUBJECT_LIMITS)

    def subject_job(self, function: str, source: str, arguments: Mapping[str, Any]) -> Job | Reply:
        """Return a job on the subjects of the file that the claim or the configuration names."""
        configured = self._project.config.subjects
        if not source and len(configured) != 1:
            known = f"names {len(configured)} files" if configured else "names no file"
            reason = f"the configuration {known} of subjects; add `subjects: path.py:name`"
            return cannot_tell(reason)
        source = source or configured[0]
        place = source.rpartition(":")[0]
        if place.endswith(".py") and not os.path.isfile(os.path.join(self.root, place)):
            return stale(f"there is no file of subjects {place}")
        return self.job(function, {"root": self.root, "source": source, **arguments})

    def probe_record(self, unit: str, source: str) -> ProbeRecord | None:
        """Return the record of a unit of the configured subjects, if this audit has just probed it."""
        if source and source not in self._project.config.subjects:
            return None
        records = (record for audit in self._audits for record in audit.records)
        return next((record for record in records if record.unit == unit), None)

    def apply_expected_failures(self, record: ProbeRecord) -> ProbeRecord:
        """Return a record with the expected failures of the configuration applied."""
        return apply_expectation(record, self._project.config.expect, self._today)

    def result(self, job: Job, kind: type[Result]) -> Result | Reply:
        """Return the result of a job, or the reply that states why there is none."""
        outcome = self._outcomes[job.name]
        if isinstance(outcome, Reply):
            return outcome
        if isinstance(outcome.ending, Returned):
            return msgspec.convert(outcome.ending.value, kind)
        return cannot_tell(self._without_root(f"it {outcome.ending}"))

    def node_result(self, node: str) -> NodeResult | Reply:
        """Return the result of a pytest node, or the reply that states why it did not run."""
        return (
            self._node_results
            if isinstance(self._node_results, Reply)
            else self._node_results[node]
        )

    def close(self) -> None:
        """Save the facts that the index extracted."""
        if "index" in vars(self):
            self.index.store.save()

    def prepare(self, claims: Iterable[Claim]) -> None:
        """Run all that the claims need: one check, one sandbox, one run of pytest."""
        distinct = {repr(need): need for claim in claims for need in needs(claim, self)}.values()
        self._check([need for need in distinct if isinstance(need, CheckRun)])
        self._run(distinct)

    def _check(self, runs: Sequence[CheckRun]) -> None:
        """Check the files that no audit has checked so far."""
        missing = [
            run for run in runs if not any(run.check in a.checks_on(run.path) for a in self._audits)
        ]
        if not missing:
            return
        request = CheckRequest(
            paths=sorted({os.path.join(self.root, run.path) for run in missing}),
            select=sorted({run.check for run in missing}),
            baseline=False,
            today=self._today,
            jobs=1,
        )
        self._audits.append(check(self._project, request))

    def _run(self, needs: Iterable[Need]) -> None:
        """Run the jobs in the sandbox, and the tests as one more job."""
        jobs = [need for need in needs if isinstance(need, Job)]
        nodes = sorted(need.node for need in needs if isinstance(need, PytestRun))
        subject_jobs = [job for job in jobs if job.arguments["source"]]
        if not _is_installed("torch"):
            self._outcomes.update({job.name: not_installed("torch") for job in subject_jobs})
            jobs = [job for job in jobs if job.name not in self._outcomes]
        arguments: dict[str, object] = {"root": self.root, "nodes": nodes}
        tests = Job("tests", "esper_audit.claims.pytest_run:run_nodes", arguments, TEST_LIMITS)
        if nodes and _is_installed("pytest"):
            jobs.append(tests)
        if jobs:
            self._run_jobs(jobs)
        if nodes:
            self._node_results = self._node_outcome(
                self._outcomes.pop(tests.name, not_installed("pytest"))
            )

    def _run_jobs(self, jobs: Sequence[Job]) -> None:
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
        """Return the files of subjects, to be imported once for all jobs."""
        sources = {str(job.arguments.get("source", "")) for job in jobs} - {""}
        return sorted(import_target(self._project, source) for source in sources)

    def _node_outcome(self, outcome: JobOutcome | Reply) -> dict[str, NodeResult] | Reply:
        if isinstance(outcome, Reply):
            return outcome
        if isinstance(outcome.ending, Returned):
            return msgspec.convert(outcome.ending.value, dict[str, NodeResult])
        return cannot_tell(self._without_root(f"the run of the tests {outcome.ending}"))

    def _without_root(self, text: str) -> str:
        """Return a text without the absolute path of this tree."""
        return text.replace(self.root + os.sep, "")


def _findings(audit: Audit, run: CheckRun) -> list[Finding] | str:
    """Return the findings of a check in a file, or the reason why it was not checked completely."""
    for problem in audit.not_analysed:
        if problem.path == run.path and problem.check in ("", run.check):
            return problem.sentence()
    kept = [*(s.finding for s in audit.suppressed), *(t.finding for t in audit.ticketed)]
    everything = [*audit.findings, *kept]
    return [f for f in everything if (f.check, f.location.path) == (run.check, run.path)]


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


def _trusted(jobs: Sequence[Job]) -> Sequence[str]:
    """Return the modules to import before any job, with the slow probes only if a job needs them."""
    if any(job.function == PROBE for job in jobs):
        return (*TORCH_AND_COMPILER, *probe_modules())
    return TORCH if any(job.arguments.get("source") for job in jobs) else ()
