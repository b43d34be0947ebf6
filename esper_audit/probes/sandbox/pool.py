"""Running foreign code so that a crash, a hang or a flood costs that one job and nothing else.

    with Sandbox(preload=TORCH, limits=Limits(seconds=20), workers=2) as sandbox:
        for outcome in sandbox.run(jobs):
            match outcome.ending: ...

Three kinds of processes, all below a fresh interpreter that shares nothing with the caller. The *server* imports
the trusted modules once and never runs anything. A *lane* a worker, forked from it, imports the user's packages.
A *child* a job, forked from its lane, with limits, a session and a verdict pipe of its own; it is killed with
all its descendants as soon as the verdict is there. A lane that dies costs the job in its hands.

This contains accidents, not attackers: jobs run as the same user and can kill any process of that user. With
`start="spawn"` there is no lane in between: a job that kills its parent kills the caller.
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
from esper_audit.probes.sandbox.outcome import (
    Job,
    JobOutcome,
    Limits,
)
from esper_audit.probes.sandbox.spawn_backend import SpawnLane

Start = Literal["fork", "spawn"]
# The system libraries of macOS do not survive a fork; Windows has none.
START: Start = "fork" if sys.platform == "linux" else "spawn"
TORCH = ("torch",)
# What torch otherwise imports inside a job, again in each. Measured (Linux, two shared cores, milliseconds in the
# job, without and with): gradient with a cotangent 236 and 1, jacrev 916 and 7, meta tensors 812 and 8, compile
# with the eager backend 1078 and 99; the server starts in 2.4 s instead of 1.2. A job that does nothing costs
# 12 ms with torch and 15 with all of this.
TORCH_AND_COMPILER = (
    "torch",
    "torch.fx.experimental.symbolic_shapes",
    "torch._subclasses.fake_tensor",
    "torch._meta_registrations",
    "torch._dynamo",
    "torch._functorch.aot_autograd",
    "torch.distributed",
)


USUAL = Limits()


class Lane(Protocol):
    """Carries out one job at a time."""

    problem: str

    def run(self, job: Job, stopped: threading.Event) -> JobOutcome:
        """Do a job; if `stopped` is set meanwhile, end it, with an outcome or error that nobody will read."""

    def interrupt(self) -> None:
        """Wake from waiting for a job; called from another thread once `stopped` is set."""

    def close(self) -> None:
        """Let go of the process."""


class Sandbox:
    """Runs jobs in isolation, `workers` at a time; a context manager.

    `preload`: trusted modules, imported once; that they cannot be is a SandboxError. `packages`: modules or
    files of the user, imported ahead for speed where that works; where it does not, `preload_problems` says why
    and each job imports for itself. `search_path`: directories in which imports look first.
    """

    def __init__(
        self,
        preload: Sequence[str] = (),
        *,
        packages: Sequence[str] = (),
        search_path: Sequence[str] = (),
        limits: Limits = USUAL,
        workers: int = 1,
        start: Start = START,
    ) -> None:
        self.scratch = tempfile.mkdtemp(prefix="esper-audit-")
        setup = ServerSetup(tuple(preload), tuple(map(os.path.abspath, search_path)))
        self._server = ForkServer(setup, self.scratch)
        self._lanes: list[Lane] = [
            SpawnLane(setup, limits, folder)
            if start == "spawn"
            else ForkLane(self._server, tuple(packages), limits, folder)
            for folder in (os.path.join(self.scratch, f"lane{number}") for number in range(workers))
        ]
        self._free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for lane in self._lanes:
            self._free.put(lane)

    @property
    def preload_problems(self) -> list[str]:
        """Why packages of the user are not imported ahead."""
        return sorted({lane.problem for lane in self._lanes} - {""})

    def run(self, jobs: Iterable[Job]) -> Iterator[JobOutcome]:
        """Yield the outcome of each job as it ends; one run at a time.

        Leaving the iterator early ends the jobs in hand. Threads wait in the caller meanwhile: do not fork it.
        Raises SandboxError when the sandbox itself fails.
        """
        stopped = threading.Event()
        pool = ThreadPoolExecutor(len(self._lanes), "esper-audit-sandbox")
        try:
            ends = [pool.submit(self._run_one, job, stopped) for job in jobs]
            for end in as_completed(ends):
                outcome = end.result()
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
