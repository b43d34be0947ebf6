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

import contextlib
import os
import queue
import shutil
import sys
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar

from esper_audit.probes.sandbox.fork_backend import ForkLane, ForkServer, SandboxError
from esper_audit.probes.sandbox.fork_server import ServerSetup
from esper_audit.probes.sandbox.lane_process import LaneSetup
from esper_audit.probes.sandbox.outcome import (
    Job,
    JobOutcome,
    Limits,
)
from esper_audit.probes.sandbox.spawn_backend import SpawnLane
from esper_audit.project.workers.interruption import BECAUSE, Interrupted

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
Item = TypeVar("Item")


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
        self._is_stopped = False
        self._ended = threading.Event()  # of the jobs of the last call

    def run(self, jobs: Iterable[Job]) -> Iterator[JobOutcome]:
        """Yield the outcome of each job as it ends.

        Only one call may be active at a time.
        Closing the iterator early ends the running jobs. Do not fork meanwhile, because threads of the caller
        wait for the jobs. Raises SandboxError if the sandbox itself fails, and Interrupted once it was stopped.
        """
        with contextlib.closing(self.run_in_groups(jobs)) as groups:
            for group in groups:
                yield from group

    def run_in_groups(self, jobs: Iterable[Job]) -> Generator[list[JobOutcome], None, None]:
        """Yield the outcomes as `run` does, those of the jobs that ended meanwhile in one list."""
        ended = self._ended = threading.Event()
        if self._is_stopped:
            raise Interrupted(f"jobs were not run {BECAUSE}")
        pool = ThreadPoolExecutor(len(self._lanes), "esper-audit-sandbox")
        finished: queue.SimpleQueue[Future[JobOutcome | None]] = queue.SimpleQueue()
        try:
            futures = [pool.submit(self._run_one, job, ended) for job in jobs]
            for future in futures:
                future.add_done_callback(finished.put)
            waited = missed = 0
            while waited < len(futures):
                group = _waiting_items(finished)
                outcomes = [outcome for one in group if (outcome := one.result()) is not None]
                waited += len(group)
                missed += len(group) - len(outcomes)
                if outcomes:
                    yield outcomes
            if missed:
                raise Interrupted(f"jobs were not run {BECAUSE}")  # noqa: TRY301 - lanes are closed below
        except BaseException:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for lane in self._lanes:
                lane.interrupt()
            pool.shutdown(wait=True)
            for lane in self._lanes:
                lane.close()
            raise
        pool.shutdown(wait=True)

    def stop(self) -> None:
        """End the running jobs, and run no more. What waits for an outcome gets Interrupted."""
        self._is_stopped = True
        self._ended.set()
        self._server.interrupt()
        for lane in self._lanes:
            lane.interrupt()

    def _run_one(self, job: Job, ended: threading.Event) -> JobOutcome | None:
        """Return the outcome of a job, None if the jobs are to end before it is known."""
        lane = self._free.get()
        try:
            outcome = None if ended.is_set() else lane.run(job, ended)
        except SandboxError:
            if not ended.is_set():
                raise
            outcome = None
        finally:
            self._free.put(lane)
        return None if ended.is_set() else outcome

    def close(self) -> None:
        """End all processes and remove their files."""
        self.stop()
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


def _waiting_items(items: queue.SimpleQueue[Item]) -> list[Item]:
    """Wait for an item, and return it with those that are there already."""
    found = [items.get()]
    with contextlib.suppress(queue.Empty):
        while True:
            found.append(items.get_nowait())
    return found
