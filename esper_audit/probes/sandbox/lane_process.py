"""The lane process: imports the user's packages and forks a child for each job, one at a time."""

from __future__ import annotations

import functools
import gc
import os
import selectors
import shutil
import signal
import socket
import threading
import time
import traceback
from types import FrameType
from typing import NoReturn

import msgspec

from esper_audit.probes.sandbox.job_process import (
    limit_torch_threads,
    load_function,
    load_module,
    redirect_output,
    run_and_exit,
    run_job,
    use_scratch_folder,
)
from esper_audit.probes.sandbox.outcome import (
    PATIENCE,
    Cost,
    Ending,
    Exited,
    Job,
    JobOutcome,
    JobRequest,
    Killed,
    Limits,
    TimedOut,
)
from esper_audit.probes.sandbox.process_tree import (
    adopt_orphans,
    die_with_parent,
    has_children,
    is_dead,
    kill_children,
    kill_group,
    wait_for_exit,
    waited_seconds,
)
from esper_audit.probes.sandbox.protocol import (
    READ_BYTES,
    Tail,
    VerdictReader,
    read_journal,
    receive,
    send,
)
from esper_audit.probes.sandbox.rlimits import apply_limits

START_SECONDS = (
    30.0  # from fork to ready, which takes a millisecond unless the machine is overloaded
)
LEFT_IN_PIPE_READS = 64
THREAD_SECONDS = (
    3.0  # some packages look for a newer version of themselves in a thread that soon ends
)


class LaneSetup(msgspec.Struct, frozen=True):
    """The modules that a lane imports before its first job, the jobs that it then runs in its own process.

    `limits` are those of all of this.
    """

    packages: tuple[str, ...]
    limits: Limits
    prepared: tuple[Job, ...] = ()


class LaneReady(msgspec.Struct, frozen=True):
    """The lane's answer: its process id, and the reason if its packages cannot be imported, else empty."""

    process: int
    problem: str


def serve(connection: socket.socket) -> None:
    """Run jobs until the caller closes the connection."""
    os.setsid()
    adopt_orphans()
    setup = receive(connection, LaneSetup)
    if setup is None:
        return
    problem = _preload(setup)
    send(connection, LaneReady(os.getpid(), problem))
    if problem:
        return
    lane = _Lane(connection)
    while (request := receive(connection, JobRequest)) is not None:
        send(connection, lane.outcome(request))


def _preload(setup: LaneSetup) -> str:
    """Import the user's packages and return the first problem, else an empty text.

    A crash or a hang, which SIGALRM ends, costs only this lane.
    """
    if not (setup.packages or setup.prepared):
        return ""
    apply_limits(setup.limits, for_good=False)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, setup.limits.seconds + THREAD_SECONDS)
    for package in setup.packages:
        try:
            load_module(package)
        except BaseException as error:  # noqa: BLE001 - the job that needs the package reports what it raises
            return f"{package}: " + "".join(traceback.format_exception_only(error)).strip()
        if _has_lasting_threads():
            return f"{package}: its import starts threads, which do not survive a fork"
    for job in setup.prepared:
        try:
            load_function(job.function)(**job.arguments)
        except BaseException as error:  # noqa: BLE001 - each job repeats it and reports what it raises
            return f"{job.name}: " + "".join(traceback.format_exception_only(error)).strip()
    signal.setitimer(signal.ITIMER_REAL, 0)
    limit_torch_threads()
    gc.freeze()
    return ""


def _has_lasting_threads() -> bool:
    """Return whether a thread other than this one runs on, after a short wait for those that end."""
    deadline = time.monotonic() + THREAD_SECONDS
    while threading.active_count() > 1 and time.monotonic() < deadline:
        time.sleep(THREAD_SECONDS / 100)
    return threading.active_count() > 1


class _Lane:
    """The state of the lane: its connection, and a pipe that wakes it at the death of a child."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.wake, waker = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(waker, False)
        # The death of a child must interrupt the wait, because a grandchild may keep its pipes open.
        signal.signal(signal.SIGCHLD, _ignore_signal)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    def outcome(self, request: JobRequest) -> JobOutcome:
        """Run a job in a child and return its outcome, when no process of the job is left."""
        os.makedirs(request.scratch)
        child = _JobProcess(request)
        child.start(self)
        ending = child.watch(self)
        outcome = child.reap(ending)
        if has_children() and not kill_children():
            os._exit(1)
        outcome = msgspec.structs.replace(outcome, journal=read_journal(request.scratch))
        shutil.rmtree(request.scratch, ignore_errors=True)
        return outcome


def _ignore_signal(number: int, frame: FrameType | None) -> None:
    """Do nothing: the signal wakes the selector only if it has a handler."""


class _JobProcess:
    """The process of a job as seen by its lane."""

    def __init__(self, request: JobRequest) -> None:
        self._request = request
        self._pid = 0
        self._reader = VerdictReader()
        self._tail = Tail(request.limits.output_bytes)
        self._started = time.monotonic()
        self._pipes: dict[int, VerdictReader | Tail] = {}

    def start(self, lane: _Lane) -> None:
        """Fork the process of the job."""
        verdict, verdict_end = os.pipe()
        output, output_end = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            body = functools.partial(
                _run_in_child, self._request, parent, verdict_end, output_end, lane
            )
            run_and_exit(body)
        os.close(verdict_end)
        os.close(output_end)
        self._pipes = {verdict: self._reader, output: self._tail}
        for pipe in self._pipes:
            os.set_blocking(pipe, False)

    def watch(self, lane: _Lane) -> Ending | None:
        """Wait for the verdict, the end of the child (None) or the end of its time."""
        open_pipes = set(self._pipes)
        with selectors.DefaultSelector() as selector:
            for source in (*open_pipes, lane.wake, lane.connection.fileno()):
                selector.register(source, selectors.EVENT_READ)
            while self._reader.ending is None and not is_dead(self._pid):
                left = self._seconds_left()
                if left <= 0:
                    return TimedOut(self._seconds_allowed())
                self._read_next(selector, left, lane)
        return self._reader.ending

    def _read_next(self, selector: selectors.BaseSelector, seconds: float, lane: _Lane) -> None:
        """Handle the next event: output, the death of a child, or the end of the connection."""
        for key, _ in selector.select(seconds):
            if key.fd == lane.connection.fileno():
                self._abandon()
            if key.fd == lane.wake:
                os.read(lane.wake, READ_BYTES)
            elif not self._read_pipe(key.fd):
                selector.unregister(key.fd)

    def reap(self, ending: Ending | None) -> JobOutcome:
        """Kill the rest of the job's process group, reap the process, and return the outcome."""
        seconds = time.monotonic() - self._started
        kill_group(self._pid)
        status, cost = wait_for_exit(self._pid)
        for pipe in self._pipes:
            for _ in range(LEFT_IN_PIPE_READS):
                if not self._read_pipe(pipe):
                    break
            os.close(pipe)
        ending = ending or self._reader.ending or ending_from_status(status)
        stage, output = self._reader.stage, self._tail.text()
        cost = Cost(seconds, cost.processor_seconds, cost.peak_bytes)
        return JobOutcome(self._request.job.name, ending, stage, output, cost)

    def _read_pipe(self, pipe: int) -> bool:
        """Read the data of a pipe.

        Return whether the pipe may have more.
        """
        try:
            data = os.read(pipe, READ_BYTES)
        except BlockingIOError:
            return False
        was_starting = self._reader.stage == "starting"
        self._pipes[pipe].feed(data)
        if was_starting and self._reader.stage != "starting":
            self._started = time.monotonic()
        return bool(data)

    def _seconds_allowed(self) -> float:
        return START_SECONDS if self._reader.stage == "starting" else self._request.limits.seconds

    def _seconds_left(self) -> float:
        """Return the rest of the job's time, in which waiting for a busy processor does not count."""
        allowed = self._seconds_allowed()
        waited = min(waited_seconds(self._pid), (PATIENCE - 1) * allowed)
        return self._started + allowed + waited - time.monotonic()

    def _abandon(self) -> NoReturn:
        """End the job, remove its files and exit, after the caller closed the connection."""
        kill_group(self._pid)
        kill_children()
        shutil.rmtree(self._request.scratch, ignore_errors=True)
        os._exit(0)


def ending_from_status(status: int) -> Ending:
    """Return the ending of a process without a verdict.

    A negative status is a signal.
    """
    if status >= 0:
        return Exited(status)
    try:
        return Killed(signal.Signals(-status).name)
    except ValueError:
        return Killed(f"signal {-status}")


def _run_in_child(request: JobRequest, parent: int, verdict: int, output: int, lane: _Lane) -> None:
    """Detach this child from the lane, then run the job."""
    os.setsid()
    die_with_parent(parent)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(lane.wake)
    lane.connection.close()
    redirect_output(output)
    use_scratch_folder(request.scratch)
    run_job(request, verdict)
