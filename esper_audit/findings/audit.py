"""The result of a run of the checks: findings, suppressed findings, and what was not analysed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from esper_audit.findings.coverage import Coverage
from esper_audit.findings.file_outcome import CheckTiming
from esper_audit.findings.finding import Finding, NotAnalysed, Suppressed
from esper_audit.findings.probe_record import ProbeRecord
from esper_audit.findings.reached_package import ReachedPackage
from esper_audit.findings.shard import WHOLE, Shard

CLEAN, FINDINGS, COULD_NOT_RUN, NOT_ALL_ANALYSED = 0, 1, 2, 3


class Ticketed(msgspec.Struct, frozen=True):
    """A finding with an active or accepted ticket, on which `check` does not fail."""

    finding: Finding
    ticket: str
    status: str


def added_timings(timings: Iterable[CheckTiming]) -> list[CheckTiming]:
    """Return the timings of each rule added up, the most expensive rule first."""
    by_check: dict[str, list[CheckTiming]] = defaultdict(list)
    for timing in timings:
        by_check[timing.check].append(timing)
    added = [
        CheckTiming(
            check,
            sum(one.files for one in ones),
            sum(one.candidates for one in ones),
            sum(one.seconds for one in ones),
        )
        for check, ones in by_check.items()
    ]
    return sorted(added, key=lambda timing: (-timing.seconds, timing.check))


class Audit(msgspec.Struct, frozen=True):
    """The result of a run.

    Every list is sorted.

    - `checks`, `off`: the ids of the checks that were on for some file, and of the others.
    - `not_adopted`: the policies that the project does not have in force.
    - `hidden`: the number of findings that `--since` omitted.
    - `below_severity`, `beyond_maximum`: the numbers of findings that the user did not want to see.
    - `checked`: the checks that ran on each file.
    - `files_read`, `directories_listed`: absolute paths that were read or looked up. A run with the same
      contents has the same result.
    - `records`: the results of the probes.
    - `cached_units`, `unchanged_units`: the numbers of units of declared subjects that an earlier run answered,
      and that were not looked at because nothing that they use changed since a revision.
    - `is_interrupted`: whether the probes were ended by a signal, so that `records` lacks some.
    - `coverage`: how far discovery came with each class; None without discovery.
    - `tested`: what the tests reach, by folder. Empty unless the whole tree was audited.
    - `notebooks`: the number of notebooks beside the files, which no check reads.
    - `shard`: the part of the work that was done.
    - `expiring`: what is suppressed today, and will not be soon.
    - `timings`: the costs of the rules, the most expensive first. Empty unless they were requested.
    """

    root: str
    findings: list[Finding]
    suppressed: list[Suppressed]
    not_analysed: list[NotAnalysed]
    files: int
    checks: list[str]
    off: list[str]
    not_adopted: list[str] = []
    hidden: int = 0
    below_severity: int = 0
    beyond_maximum: int = 0
    ticketed: list[Ticketed] = []
    excluded: list[str] = []
    checked: dict[str, frozenset[str]] = {}
    files_read: list[str] = []
    directories_listed: list[str] = []
    records: list[ProbeRecord] = []
    timings: list[CheckTiming] = []
    cached_units: int = 0
    unchanged_units: int = 0
    is_interrupted: bool = False
    coverage: Coverage | None = None
    tested: list[ReachedPackage] = []
    notebooks: int = 0
    shard: Shard = WHOLE
    expiring: list[Suppressed] = []

    def checks_on(self, path: str) -> frozenset[str]:
        """Return the checks that ran on a file, none for a file outside this run."""
        return self.checked.get(path, frozenset())

    def is_checked(self, check: str, path: str) -> bool:
        """Return whether a check ran on a whole file.

        For a file that is gone, whether it ran on any.
        """
        if not os.path.exists(os.path.join(self.root, path)):
            return check in self.checks
        failed = any(p.path == path and p.check in ("", check) for p in self.not_analysed)
        return check in self.checks_on(path) and not failed

    @property
    def exit_status(self) -> int:
        """0 without findings, 1 with findings, 3 if something was not analysed, with or without findings."""
        if self.not_analysed:
            return NOT_ALL_ANALYSED
        return FINDINGS if self.findings else CLEAN
