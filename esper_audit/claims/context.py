"""What the answer to a claim may read of the project.

`workflow/claim_context.py` implements it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from esper_audit.claims.code_tokens import CodeTokens
from esper_audit.claims.needs import CheckRun
from esper_audit.claims.pytest_run import NodeResult
from esper_audit.claims.reply import Reply
from esper_audit.claims.symbol_lookup import LocatedSymbol, SourceFiles
from esper_audit.findings.finding import Finding
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.probes.sandbox.outcome import Job
from esper_audit.source.index.index import Index
from esper_audit.source.index.records import Symbol

Result = TypeVar("Result", bound=msgspec.Struct)


class TreeTexts(SourceFiles, Protocol):
    """The files of a project, also as tokens and by the words that they contain."""

    def code_tokens(self, path: str) -> CodeTokens | None:
        """Return the tokens of a file below the root, None if there is none."""

    def files_with(self, words: Iterable[str]) -> list[str]:
        """Return the Python files that contain all of the words, none for no words."""


class ClaimContext(TreeTexts, Protocol):
    """The tree of a project, after everything that the claims need has run."""

    @property
    def root(self) -> str:
        """The absolute path of the project."""

    @property
    def index(self) -> Index:
        """The index of calls, reads and tests."""

    @property
    def checks(self) -> Collection[str]:
        """The ids of all checks."""

    def symbol(self, address: str) -> Symbol | Reply:
        """Return the symbol at an address, or the reply that names what is missing."""

    def findings(self, run: CheckRun) -> list[Finding] | str:
        """Return the findings of a check in a file, or the reason why it was not checked."""

    def was_reported(self, check: str, at: str, symbol: LocatedSymbol) -> bool:
        """Return whether a check ever reported a symbol, which a claim names by the address `at`."""

    def job(self, function: str, arguments: Mapping[str, Any]) -> Job:
        """Return the job that calls a function of `probes/subject_queries.py`."""

    def subject_job(self, function: str, source: str, arguments: Mapping[str, Any]) -> Job | Reply:
        """Return a job on the subjects of a file, or the reply that names what is missing."""

    def probe_record(self, unit: str, source: str) -> ProbeRecord | None:
        """Return the record of a unit that this audit has just probed."""

    def apply_expected_failures(self, record: ProbeRecord) -> ProbeRecord:
        """Return a record with the expected failures of the configuration applied."""

    def result(self, job: Job, kind: type[Result]) -> Result | Reply:
        """Return the result of a job, or the reply that states why there is none."""

    def node_result(self, node: str) -> NodeResult | Reply:
        """Return the result of a pytest node, or the reply that states why it did not run."""
