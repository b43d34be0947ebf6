"""What one run of the checks says: findings, what was authorised, and, never left out, what was not looked at."""

from __future__ import annotations

import os

import msgspec

from esper_audit.findings.finding import Finding, NotAnalysed, Suppressed
from esper_audit.findings.probe_record import ProbeRecord

CLEAN, FINDINGS, COULD_NOT_RUN, NOT_ALL_ANALYSED = 0, 1, 2, 3


class Ticketed(msgspec.Struct, frozen=True):
    """A finding that has a ticket, active or accepted; `check` knows it and does not fail on it."""

    finding: Finding
    ticket: str
    status: str


class CheckTiming(msgspec.Struct, frozen=True):
    """What a rule cost in a run: files and candidates that it was run on, and processor seconds."""

    check: str
    files: int
    candidates: int
    seconds: float


class Audit(msgspec.Struct, frozen=True):
    """The result of a run; every list is sorted.

    `checks` are the ids of those that were on anywhere, `off` of those that were not; `hidden` counts
    the findings that `--since` left out because they were there before; `checked` says which checks
    looked at which file; `files_read` (or looked for)
    and `directories_listed` are absolute: with the same in them a run says the same. `records` are
    what the probes came to; `timings` are there where they were requested, the dearest rule first.
    """

    root: str
    findings: list[Finding]
    suppressed: list[Suppressed]
    not_analysed: list[NotAnalysed]
    files: int
    checks: list[str]
    off: list[str]
    hidden: int = 0
    ticketed: list[Ticketed] = []
    excluded: list[str] = []
    checked: dict[str, frozenset[str]] = {}
    files_read: list[str] = []
    directories_listed: list[str] = []
    records: list[ProbeRecord] = []
    timings: list[CheckTiming] = []

    def checks_on(self, path: str) -> frozenset[str]:
        """Return the checks that looked at a file; none for a file that this run did not see."""
        return self.checked.get(path, frozenset())

    def looked_at(self, check: str, path: str) -> bool:
        """Return whether a check looked at all of a file, or ran on others while this one is gone."""
        if not os.path.exists(os.path.join(self.root, path)):
            return check in self.checks
        failed = any(p.path == path and p.check in ("", check) for p in self.not_analysed)
        return check in self.checks_on(path) and not failed

    @property
    def exit_status(self) -> int:
        """0 clean, 1 findings, 3 something was not analysed (findings or not)."""
        if self.not_analysed:
            return NOT_ALL_ANALYSED
        return FINDINGS if self.findings else CLEAN
