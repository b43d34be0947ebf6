"""The backend for systems without a usable fork: a fresh interpreter for each job, watched by threads.

A job takes a second or two. On Linux and macOS the session of the job is killed. A process that left it by
`setsid` is found on Linux, by the scratch folder in its environment, but not elsewhere. On Windows the only
limit is the wall clock, and only the process of the job itself is killed.
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

from esper_audit.probes.sandbox.fork_server import ServerSetup, import_modules
from esper_audit.probes.sandbox.interpreter import clean_environment, start_interpreter
from esper_audit.probes.sandbox.job_process import redirect_output, run_and_exit, run_job
from esper_audit.probes.sandbox.lane_process import START_SECONDS, ending_from_status
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
    HAS_WAITID,
    die_with_parent,
    is_dead,
    kill_group,
    kill_processes_using,
    wait_for_exit,
)
from esper_audit.probes.sandbox.protocol import (
    READ_BYTES,
    Tail,
    VerdictReader,
    encode_message,
    read_journal,
    write_all,
)

POLL_SECONDS = 0.02
DRAIN_SECONDS = 1.0  # a process that left the session may keep the pipes open
REQUEST_FILE = "request"
STDOUT, STDERR = 1, 2


class SpawnRequest(msgspec.Struct, frozen=True):
    """A job, and the modules that are imported before its time starts."""

    setup: ServerSetup
    request: JobRequest


def main() -> None:
    """Run the job in the file that the last argument names.

    The original stdout is the verdict pipe.
    """
    die_with_parent(os.getppid())
    verdict = os.dup(STDOUT)
    redirect_output(STDERR)
    with open(sys.argv[-1], "rb") as file:
        spawned = msgspec.msgpack.decode(file.read(), type=SpawnRequest)
    run_and_exit(functools.partial(_import_and_run, spawned, verdict))


def _import_and_run(spawned: SpawnRequest, verdict: int) -> None:
    problem = import_modules(spawned.setup)
    if problem:
        write_all(verdict, encode_message(ImportFailed("ImportError", problem, None, "")))
    else:
        run_job(spawned.request, verdict)


class SpawnLane:
    """Runs jobs one after another, each in an interpreter of its own."""

    def __init__(self, setup: ServerSetup, limits: Limits, scratch: str) -> None:
        self._setup = setup
        self._limits = limits
        self._scratch = scratch
        self._numbers = itertools.count()

    def run(self, job: Job, stopped: threading.Event) -> JobOutcome:
        """Run a job and return its outcome."""
        scratch = os.path.join(self._scratch, str(next(self._numbers)))
        request = JobRequest(job, job.limits or self._limits, scratch)
        os.makedirs(scratch)
        path = os.path.join(scratch, REQUEST_FILE)
        with open(path, "wb") as file:
            file.write(msgspec.msgpack.encode(SpawnRequest(self._setup, request)))
        child = _SpawnedJob(request, path)
        outcome = child.reap(child.watch(stopped))
        outcome = msgspec.structs.replace(outcome, journal=read_journal(scratch))
        shutil.rmtree(scratch, ignore_errors=True)
        return outcome

    def interrupt(self) -> None:
        """Do nothing, since `run` polls `stopped`."""

    def close(self) -> None:
        """Do nothing, since no process outlives its job."""


class _SpawnedJob:
    """The interpreter of a job, whose pipes two threads read: no other way works on every system."""

    def __init__(self, request: JobRequest, path: str) -> None:
        self._request = request
        self._reader = VerdictReader()
        self._tail = Tail(request.limits.output_bytes)
        self._verdict_data: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._started = time.monotonic()
        self._process = start_interpreter(
            "esper_audit.probes.sandbox.spawn_backend",
            [path],
            clean_environment(request.scratch),
            (subprocess.DEVNULL, subprocess.PIPE, subprocess.PIPE),
        )
        self._pipes = (self._process.stdout, self._process.stderr)
        readers: tuple[Callable[[bytes], None], ...] = (self._verdict_data.put, self._tail.feed)
        self._threads = [
            threading.Thread(target=_forward_output, args=(pipe.fileno(), take), daemon=True)
            for pipe, take in zip(self._pipes, readers, strict=True)
            if pipe is not None
        ]
        for thread in self._threads:
            thread.start()

    def watch(self, stopped: threading.Event) -> Ending | None:
        """Wait for the verdict, the end of the child (None) or the end of its time."""
        while self._reader.ending is None and not self._has_ended() and not stopped.is_set():
            starting = self._reader.stage == "starting"
            allowed = START_SECONDS if starting else self._request.limits.seconds
            left = self._started + allowed - time.monotonic()
            if left <= 0:
                return TimedOut(allowed)
            try:
                self._reader.feed(self._verdict_data.get(timeout=min(left, POLL_SECONDS)))
            except queue.Empty:
                continue
            if starting and self._reader.stage != "starting":
                self._started = time.monotonic()
        return self._reader.ending

    def reap(self, ending: Ending | None) -> JobOutcome:
        """Kill the rest of the job, reap its process, and return the outcome."""
        seconds = time.monotonic() - self._started
        kill_group(self._process.pid)
        kill_processes_using(self._request.scratch)
        status, cost = self._wait_for_exit()
        for thread in self._threads:
            thread.join(DRAIN_SECONDS)
        while not self._verdict_data.empty():
            self._reader.feed(self._verdict_data.get())
        for pipe in self._pipes:
            if pipe is not None:
                pipe.close()
        ending = ending or self._reader.ending or ending_from_status(status)
        cost = Cost(seconds, cost.processor_seconds, cost.peak_bytes)
        return JobOutcome(
            self._request.job.name, ending, self._reader.stage, self._tail.text(), cost
        )

    def _has_ended(self) -> bool:
        if not HAS_WAITID:
            return self._process.poll() is not None
        return is_dead(self._process.pid)

    def _wait_for_exit(self) -> tuple[int, Cost]:
        if not HAS_WAITID:
            return self._process.wait(), Cost()
        self._process.returncode, cost = wait_for_exit(self._process.pid)
        return self._process.returncode, cost


def _forward_output(pipe: int, take: Callable[[bytes], None]) -> None:
    while data := os.read(pipe, READ_BYTES):
        take(data)
