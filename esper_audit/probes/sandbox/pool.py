"""The sandbox: runs jobs of foreign code so that a crash, a hang or a memory leak costs only that job.

    with Sandbox(preload=TORCH, limits=Limits(seconds=20), workers=2) as sandbox:
        for outcome in sandbox.run(jobs):
            match outcome.ending: ...

There are three kinds of processes, none of which shares memory with the caller. The *server* is a fresh
interpreter that imports the trusted modules once and runs no job. For each worker it forks a *lane*, which
imports the user's packages. For each job its lane forks a *child* with limits, a session and a verdict pipe
of its own. The child and its descendants are killed as soon as the verdict has arrived. A lane that dies
costs the job that it is running.

This protects against accidents, not against attacks: jobs run as the same user and can kill any process of
that user. With `start="spawn"` there is no lane: a job that kills its parent kills the caller.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import TracebackType
from typing import Literal, Protocol, Self

from esper_audit.probes.sandbox.fork_backend import ForkLane, ForkServer
from esper_audit.probes.sandbox.fork_server import ServerSetup
from esper_audit.probes.sandbox.lane_process import LaneSetup
from esper_audit.probes.sandbox.outcome import (
    Job,
    JobOutcome,
    Limits,
)
from esper_audit.probes.sandbox.spawn_backend import SpawnLane

Start = Literal["fork", "spawn"]
# The system libraries of macOS do not work after a fork, and Windows has no fork.
START: Start = "fork" if sys.platform == "linux" and "fork" in vars(os) else "spawn"
TORCH = ("torch",)
# The modules that torch otherwise imports again inside each job. Measured on Linux with two shared cores, in
# milliseconds of the job without and with them: gradient with a cotangent 236 and 1, jacrev 916 and 7, meta
# tensors 812 and 8, compile with the eager backend 1078 and 99. The server starts in 2.4 s instead of 1.2 s. An
# empty job takes 12 ms with torch and 15 ms with all of these.
TORCH_AND_COMPILER = (
    "torch",
    "torch.fx.experimental.symbolic_shapes",
    "torch._subclasses.fake_tensor",
    "torch._meta_registrations",
    "torch._dynamo",
    "torch._functorch.aot_autograd",
    "torch.distributed",
)
# What is left of it where nothing is compiled: the first optimizer of a process imports torch._dynamo.
TORCH_AND_OPTIMIZERS = tuple(m for m in TORCH_AND_COMPILER if "aot_autograd" not in m)
DEFAULT_LIMITS = Limits()


class Lane(Protocol):
    """Runs one job at a time."""

    def run(self, job: Job, stopped: threading.Event) -> JobOutcome:
        """Run a job.

        Once `stopped` is set, end it with any outcome or error, which the caller discards.
        """

    def interrupt(self) -> None:
        """Wake from waiting for a job.

        Called by another thread after `stopped` is set.
        """

    def close(self) -> None:
        """Release the process."""


class Sandbox:
    """Runs jobs in isolation, `workers` at a time, as a context manager.

    `preload` are trusted modules that the server imports once, or a SandboxError is raised. `packages` are
    modules or files of the user that lanes import once, for speed; if that fails each job imports them by
    itself. `prepared` are jobs that lanes run once in their own process, for what jobs then have loaded.
    `search_path` are folders at the start of the import path.
    """

    def __init__(
        self,
        preload: Sequence[str] = (),
        *,
        packages: Sequence[str] = (),
        prepared: Sequence[Job] = (),
        search_path: Sequence[str] = (),
        limits: Limits = DEFAULT_LIMITS,
        workers: int = 1,
        start: Start = START,
    ) -> None:
        self.workers = workers
        self.scratch = tempfile.mkdtemp(prefix="esper-audit-")
        setup = ServerSetup(tuple(preload), tuple(map(os.path.abspath, search_path)))
        lane_setup = LaneSetup(tuple(packages), limits, tuple(prepared))
        self._server = ForkServer(setup, self.scratch)
        self._lanes: list[Lane] = [
            SpawnLane(setup, limits, folder)
            if start == "spawn"
            else ForkLane(self._server, lane_setup, folder)
            for folder in (os.path.join(self.scratch, f"lane{number}") for number in range(workers))
        ]
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for lane in self._lanes:
            self._free.put(lane)

    def run(self, jobs: Iterable[Job]) -> Iterator[JobOutcome]:
        """Yield the outcome of each job as it ends.

        Only one call may be active at a time.
        Closing the iterator early ends the running jobs. Do not fork meanwhile, because threads of the caller
        wait for the jobs. Raises SandboxError if the sandbox itself fails.
        """
        stopped = threading.Event()
        pool = ThreadPoolExecutor(len(self._lanes), "esper-audit-sandbox")
        try:
            futures = [pool.submit(self._run_one, job, stopped) for job in jobs]
            for future in as_completed(futures):
                outcome = future.result()
                if outcome is not None:
                    yield outcome
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for lane in self._lanes:
                lane.interrupt()
            pool.shutdown(wait=True)
            for lane in self._lanes:
                lane.close()
            raise
        pool.shutdown(wait=True)

    def _run_one(self, job: Job, stopped: threading.Event) -> JobOutcome | None:
        lane = self._free.get()
        try:
            return None if stopped.is_set() else lane.run(job, stopped)
        finally:
            self._free.put(lane)

    def close(self) -> None:
        """End all processes and remove their files."""
        for lane in self._lanes:
            lane.close()
        self._server.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
