"""What runs jobs in isolation, on this machine or on others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from esper_audit.probes.sandbox.outcome import Job, JobOutcome, Limits
from esper_audit.probes.sandbox.pool import START, Sandbox, Start


class JobRunner(Protocol):
    """Runs jobs of foreign code, `workers` at a time."""

    @property
    def workers(self) -> int:
        """The number of jobs at a time."""

    def run(self, jobs: Iterable[Job]) -> Iterator[JobOutcome]:
        """Yield the outcome of each job as it ends."""

    def close(self) -> None:
        """End all processes."""


class SandboxSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of a Sandbox as plain data, which another machine can receive."""

    preload: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    prepared: tuple[Job, ...] = ()
    search_path: tuple[str, ...] = ()
    limits: Limits = Limits()
    workers: int = 1
    start: Start = START

    def open(self) -> Sandbox:
        """Return the sandbox on this machine."""
        return Sandbox(
            self.preload,
            packages=self.packages,
            prepared=self.prepared,
            search_path=self.search_path,
            limits=self.limits,
            workers=self.workers,
            start=self.start,
        )
