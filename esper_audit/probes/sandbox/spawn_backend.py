"""The fallback where a process cannot fork: a fresh interpreter a job, watched by threads, on any system.

A second or two a job. On Linux and macOS the job's session is killed; what left it by `setsid` is found on Linux
by the job's scratch directory in its environment, elsewhere not at all. Windows: no limits but the wall clock,
and only the job's own process is killed.
"""

from __future__ import annotations

import functools
import itertools
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import msgspec

from esper_audit.probes.sandbox.fork_server import ServerSetup, prepare
from esper_audit.probes.sandbox.interpreter import clean_environment, start_interpreter
from esper_audit.probes.sandbox.job_process import do, never_return, redirect
from esper_audit.probes.sandbox.lane_process import START_SECONDS, ended_by_itself
from esper_audit.probes.sandbox.outcome import (
    Cost,
    Ending,
    ImportFailed,
    Job,
    JobOutcome,
    JobRequest,
    Limits,
    TimedOut,
)
from esper_audit.probes.sandbox.process_tree import (
    die_with_parent,
    is_dead,
    kill_group,
    kill_marked,
    reap,
)
from esper_audit.probes.sandbox.protocol import READ_BYTES, Tail, VerdictReader, framed, write_all

POLL_SECONDS = 0.02
LAST_WORDS_SECONDS = 1.0  # a process that escaped may hold the pipes open for ever
REQUEST_FILE = "request"
STDOUT, STDERR = 1, 2


class SpawnRequest(msgspec.Struct, frozen=True):
    """A job and what is imported before its clock starts."""

    setup: ServerSetup
    request: JobRequest


def main() -> None:
    """Do the job in the file named by the last argument; the first stdout is the verdict pipe."""
    die_with_parent(os.getppid())
    verdict = os.dup(STDOUT)
    redirect(STDERR)
    with open(sys.argv[-1], "rb") as file:
        spawned = msgspec.msgpack.decode(file.read(), type=SpawnRequest)
    never_return(functools.partial(_prepare_and_do, spawned, verdict))


def _prepare_and_do(spawned: SpawnRequest, verdict: int) -> None:
    problem = prepare(spawned.setup)
    if problem:
        write_all(verdict, framed(ImportFailed("ImportError", problem, None, "")))
    else:
        do(spawned.request, verdict)


class SpawnLane:
    """Carries out jobs one after another, each in an interpreter of its own."""

    def __init__(self, setup: ServerSetup, limits: Limits, scratch: str) -> None:
        self.problem = ""
        self._setup = setup
        self._limits = limits
        self._scratch = scratch
        self._numbers = itertools.count()

    def run(self, job: Job, stopped: threading.Event) -> JobOutcome:
        """Do a job; the outcome tells whatever happened to it."""
        scratch = os.path.join(self._scratch, str(next(self._numbers)))
        request = JobRequest(job, job.limits or self._limits, scratch)
        os.makedirs(scratch)
        path = os.path.join(scratch, REQUEST_FILE)
        with open(path, "wb") as file:
            file.write(msgspec.msgpack.encode(SpawnRequest(self._setup, request)))
        child = _SpawnedJob(request, path)
        outcome = child.bury(child.watch(stopped))
        shutil.rmtree(scratch, ignore_errors=True)
        return outcome

    def interrupt(self) -> None:
        """Nothing to do: the wait looks at `stopped` often enough."""

    def close(self) -> None:
        """Nothing is kept between jobs."""


class _SpawnedJob:
    """A job's interpreter; two threads read its pipes, which is all that works on every system."""

    def __init__(self, request: JobRequest, path: str) -> None:
        self._request = request
        self._reader = VerdictReader()
        self._tail = Tail(request.limits.output_bytes)
        self._words: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._started = time.monotonic()
        self._process = start_interpreter(
            "esper_audit.probes.sandbox.spawn_backend",
            [path],
            clean_environment(request.scratch),
            (subprocess.DEVNULL, subprocess.PIPE, subprocess.PIPE),
        )
        self._pipes = (self._process.stdout, self._process.stderr)
        takers: tuple[Callable[[bytes], None], ...] = (self._words.put, self._tail.feed)
        self._threads = [
            threading.Thread(target=_pass_on, args=(pipe.fileno(), take), daemon=True)
            for pipe, take in zip(self._pipes, takers, strict=True)
            if pipe is not None
        ]
        for thread in self._threads:
            thread.start()

    def watch(self, stopped: threading.Event) -> Ending | None:
        """Wait for the verdict, the child's end (None) or the end of its time."""
        while self._reader.ending is None and not self._is_over() and not stopped.is_set():
            starting = self._reader.stage == "starting"
            allowed = START_SECONDS if starting else self._request.limits.seconds
            left = self._started + allowed - time.monotonic()
            if left <= 0:
                return TimedOut(allowed)
            try:
                self._reader.feed(self._words.get(timeout=min(left, POLL_SECONDS)))
            except queue.Empty:
                continue
            if starting and self._reader.stage != "starting":
                self._started = time.monotonic()
        return self._reader.ending

    def bury(self, ending: Ending | None) -> JobOutcome:
        """Kill what is left of the job and put together how it ended."""
        seconds = time.monotonic() - self._started
        kill_group(self._process.pid)
        kill_marked(self._request.scratch)
        status, cost = self._reap()
        for thread in self._threads:
            thread.join(LAST_WORDS_SECONDS)
        while not self._words.empty():
            self._reader.feed(self._words.get())
        for pipe in self._pipes:
            if pipe is not None:
                pipe.close()
        ending = ending or self._reader.ending or ended_by_itself(status)
        cost = Cost(seconds, cost.processor_seconds, cost.peak_bytes)
        return JobOutcome(
            self._request.job.name, ending, self._reader.stage, self._tail.text(), cost
        )

    def _is_over(self) -> bool:
        if sys.platform == "win32":
            return self._process.poll() is not None
        return is_dead(self._process.pid)

    def _reap(self) -> tuple[int, Cost]:
        if sys.platform == "win32":
            return self._process.wait(), Cost()
        self._process.returncode, cost = reap(self._process.pid)
        return self._process.returncode, cost


def _pass_on(pipe: int, take: Callable[[bytes], None]) -> None:
    while data := os.read(pipe, READ_BYTES):
        take(data)
