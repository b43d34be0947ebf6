"""A lane: a process with the user's packages imported that forks a child a job, one at a time, and outlives it."""

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
    do,
    load_module,
    never_return,
    quieten_torch,
    redirect,
    use_scratch,
)
from esper_audit.probes.sandbox.outcome import (
    Cost,
    Ending,
    Exited,
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
    kill_group,
    reap,
    sweep,
)
from esper_audit.probes.sandbox.protocol import READ_BYTES, Tail, VerdictReader, receive, send
from esper_audit.probes.sandbox.rlimits import impose

START_SECONDS = 30.0  # from fork to ready; a millisecond unless the machine is on its knees
LEFT_IN_PIPE_READS = 64


class LaneSetup(msgspec.Struct, frozen=True):
    """What a lane is to import before its first job, and under which limits."""

    packages: tuple[str, ...]
    limits: Limits


class LaneReady(msgspec.Struct, frozen=True):
    """The lane's answer: its process, and why its packages cannot be imported ahead, if so."""

    process: int
    problem: str


def serve(connection: socket.socket) -> None:
    """Do jobs until the caller hangs up."""
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
    """Import the user's packages; a crash or a hang (SIGALRM's default action kills) costs this lane only."""
    if not setup.packages:
        return ""
    impose(setup.limits, for_good=False)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, setup.limits.seconds)
    for package in setup.packages:
        try:
            load_module(package)
        except BaseException as error:  # noqa: BLE001 - the job that needs the package reports what it raises
            return f"{package}: " + "".join(traceback.format_exception_only(error)).strip()
        if threading.active_count() > 1:
            return (
                f"{package} starts threads when it is imported, and threads do not survive a fork"
            )
    signal.setitimer(signal.ITIMER_REAL, 0)
    quieten_torch()
    gc.freeze()
    return ""


class _Lane:
    """The parent of one job's process at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.wake, waker = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(waker, False)
        # The death of a child interrupts the wait for its words: a grandchild may hold its pipes open.
        signal.signal(signal.SIGCHLD, _only_wake)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)

    def outcome(self, request: JobRequest) -> JobOutcome:
        """Do a job in a child; when this returns no process of it is left."""
        os.makedirs(request.scratch)
        child = _JobProcess(request)
        child.start(self)
        ending = child.watch(self)
        outcome = child.bury(ending)
        if has_children() and not sweep():
            os._exit(1)
        shutil.rmtree(request.scratch, ignore_errors=True)
        return outcome


def _only_wake(number: int, frame: FrameType | None) -> None:
    """Do nothing: that a handler stands there is what makes the signal wake."""


class _JobProcess:
    """A job's process, as its lane sees it."""

    def __init__(self, request: JobRequest) -> None:
        self._request = request
        self._pid = 0
        self._reader = VerdictReader()
        self._tail = Tail(request.limits.output_bytes)
        self._started = time.monotonic()
        self._pipes: dict[int, VerdictReader | Tail] = {}

    def start(self, lane: _Lane) -> None:
        """Fork."""
        verdict, verdict_end = os.pipe()
        output, output_end = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            become = functools.partial(
                _become_job, self._request, parent, verdict_end, output_end, lane
            )
            never_return(become)
        os.close(verdict_end)
        os.close(output_end)
        self._pipes = {verdict: self._reader, output: self._tail}
        for pipe in self._pipes:
            os.set_blocking(pipe, False)

    def watch(self, lane: _Lane) -> Ending | None:
        """Wait for the verdict, the child's end (None) or the end of its time."""
        open_pipes = set(self._pipes)
        with selectors.DefaultSelector() as selector:
            for source in (*open_pipes, lane.wake, lane.connection.fileno()):
                selector.register(source, selectors.EVENT_READ)
            while self._reader.ending is None and not is_dead(self._pid):
                left = self._seconds_left()
                if left <= 0:
                    return TimedOut(self._allowed())
                self._listen(selector, left, lane)
        return self._reader.ending

    def _listen(self, selector: selectors.BaseSelector, seconds: float, lane: _Lane) -> None:
        """Take in what arrives next, be it words, the death of a child or the caller's hanging up."""
        for key, _ in selector.select(seconds):
            if key.fd == lane.connection.fileno():
                self._abandon()
            if key.fd == lane.wake:
                os.read(lane.wake, READ_BYTES)
            elif not self._take(key.fd):
                selector.unregister(key.fd)

    def bury(self, ending: Ending | None) -> JobOutcome:
        """Kill what is left of the job's group and put together how it ended."""
        seconds = time.monotonic() - self._started
        kill_group(self._pid)
        status, cost = reap(self._pid)
        for pipe in self._pipes:
            for _ in range(LEFT_IN_PIPE_READS):
                if not self._take(pipe):
                    break
            os.close(pipe)
        ending = ending or self._reader.ending or ended_by_itself(status)
        stage, output = self._reader.stage, self._tail.text()
        cost = Cost(seconds, cost.processor_seconds, cost.peak_bytes)
        return JobOutcome(self._request.job.name, ending, stage, output, cost)

    def _take(self, pipe: int) -> bool:
        """Read what a pipe holds; return whether more may come at once or later."""
        try:
            data = os.read(pipe, READ_BYTES)
        except BlockingIOError:
            return False
        was_starting = self._reader.stage == "starting"
        self._pipes[pipe].feed(data)
        if was_starting and self._reader.stage != "starting":
            self._started = time.monotonic()
        return bool(data)

    def _allowed(self) -> float:
        return START_SECONDS if self._reader.stage == "starting" else self._request.limits.seconds

    def _seconds_left(self) -> float:
        return self._started + self._allowed() - time.monotonic()

    def _abandon(self) -> NoReturn:
        """The caller has hung up: leave nothing behind."""
        kill_group(self._pid)
        sweep()
        shutil.rmtree(self._request.scratch, ignore_errors=True)
        os._exit(0)


def ended_by_itself(status: int) -> Ending:
    """Return the ending of a process that went without a verdict; a negative status is a signal."""
    if status >= 0:
        return Exited(status)
    try:
        return Killed(signal.Signals(-status).name)
    except ValueError:
        return Killed(f"signal {-status}")


def _become_job(request: JobRequest, parent: int, verdict: int, output: int, lane: _Lane) -> None:
    """Cut the ties with the lane, then do the job."""
    os.setsid()
    die_with_parent(parent)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(lane.wake)
    lane.connection.close()
    redirect(output)
    use_scratch(request.scratch)
    do(request, verdict)
