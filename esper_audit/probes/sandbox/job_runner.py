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
        """Yield the outcome of each job as it ends. Raises Interrupted once the runner was stopped."""

    def run_in_groups(self, jobs: Iterable[Job]) -> Iterator[list[JobOutcome]]:
        """Yield the outcomes as `run` does, those of the jobs that ended meanwhile in one list."""

    def stop(self) -> None:
        """End the running jobs, and run no more. Called by another thread."""

    def close(self) -> None:
        """End all processes."""


class SandboxSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of a Sandbox as plain data, which another machine can receive.

    Where runners share machines, the jobs of one with a higher `priority` run first.
    """

    preload: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    prepared: tuple[Job, ...] = ()
    search_path: tuple[str, ...] = ()
    limits: Limits = Limits()
    workers: int = 1
    start: Start = START
    priority: int = 0

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
