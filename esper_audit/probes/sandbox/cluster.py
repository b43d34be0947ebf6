"""Running jobs on the workers of a Dask cluster, each in a sandbox of its machine.

A job is plain data. The workers import this package, and the project under the same path, from their own
disk or a shared one. Dask distributes the jobs and gives those of a worker that died to another worker.
"""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from esper_audit.findings.errors import EsperAuditError
from esper_audit.probes.sandbox.job_runner import JobRunner, SandboxSetup
from esper_audit.probes.sandbox.outcome import Cost, Job, JobOutcome, ServerDied
from esper_audit.probes.sandbox.pool import Sandbox
from esper_audit.project.workers.interruption import BECAUSE, Interrupted, Interruption

CONNECT_SECONDS = 30
OPEN: dict[tuple[int, bytes], Sandbox] = {}  # the sandboxes of this worker by thread and setup


class ClusterUnavailable(EsperAuditError):
    """Dask is not installed, or no scheduler answers."""


def open_runner(setup: SandboxSetup, cluster: str, interruption: Interruption) -> JobRunner:
    """Return the sandbox of this machine, or the cluster whose scheduler has this address.

    It stops when the run is to end early.
    """
    runner: JobRunner = ClusterSandbox(setup, cluster) if cluster else setup.open()
    interruption.attach(runner.stop)
    return runner


class ClusterSandbox:
    """Runs jobs in the sandboxes of the workers, one at a time in each thread of a worker."""

    def __init__(self, setup: SandboxSetup, address: str) -> None:
        if importlib.util.find_spec("distributed") is None:
            raise ClusterUnavailable(
                "--cluster needs Dask, which is not installed. Install it with: pip install 'esper-audit[cluster]'"
            )
        self._priority = setup.priority
        self._setup = msgspec.to_builtins(msgspec.structs.replace(setup, workers=1))
        self._is_stopped = False
        self._futures: list[Any] = []
        self._dask: Any = importlib.import_module("distributed")
        try:
            self._client = self._dask.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterUnavailable(
                f"--cluster {address}: no scheduler answers ({error}). Start one with: dask scheduler"
            ) from error
        self.workers: int = sum(self._client.nthreads().values())
        if not self.workers:
            self._client.close()
            raise ClusterUnavailable(
                f"--cluster {address}: the cluster has no workers. Start one with: dask worker {address}"
            )

    def run(self, jobs: Iterable[Job]) -> Iterator[JobOutcome]:
        """Yield the outcome of each job as it ends.

        A job that several workers did not survive has ended its supervisor.
        """
        for group in self.run_in_groups(jobs):
            yield from group

    def run_in_groups(self, jobs: Iterable[Job]) -> Iterator[list[JobOutcome]]:
        """Yield the outcomes as `run` does, those of the jobs that ended meanwhile in one list."""
        names: dict[str, str] = {}
        futures = self._futures = []
        for job in jobs:
            plain = msgspec.to_builtins(job)
            future = self._client.submit(
                run_on_worker, self._setup, plain, pure=False, priority=self._priority
            )
            names[future.key] = job.name
            futures.append(future)
        completed = self._dask.as_completed(futures, loop=self._client.loop)
        for group in () if self._is_stopped else completed.batches():
            outcomes = [self._outcome(one, names[one.key]) for one in group if not one.cancelled()]
            if self._is_stopped:
                break
            yield outcomes
        if self._is_stopped:
            raise Interrupted(f"jobs were not run {BECAUSE}")

    def _outcome(self, future: Any, name: str) -> JobOutcome:
        try:
            return msgspec.convert(future.result(), JobOutcome, strict=False)
        except self._dask.KilledWorker:
            return JobOutcome(name, ServerDied(), "starting", "", Cost())

    def stop(self) -> None:
        """Cancel the jobs, and run no more. Those that run end with their sandboxes, on `close`."""
        self._is_stopped = True
        self._client.cancel(self._futures)

    def close(self) -> None:
        """Close the sandboxes of the workers, and the connection."""
        self._client.run(close_sandboxes)
        self._client.close()


def run_on_worker(setup: dict[str, Any], job: dict[str, Any]) -> Any:
    """Run a job in a sandbox of this worker, and return its outcome as plain data."""
    key = threading.get_ident(), msgspec.msgpack.encode(setup)
    if key not in OPEN:
        OPEN[key] = msgspec.convert(setup, SandboxSetup, strict=False).open()
    (outcome,) = OPEN[key].run([msgspec.convert(job, Job, strict=False)])
    return msgspec.to_builtins(outcome, builtin_types=(bytes,))


def close_sandboxes() -> None:
    """Close every sandbox of this worker."""
    while OPEN:
        sandbox = OPEN.popitem()[1]
        sandbox.stop()
        sandbox.close()
