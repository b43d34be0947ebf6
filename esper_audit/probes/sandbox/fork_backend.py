"""The caller's side of the fork server: starts and restarts it, and runs jobs in its lanes."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import threading

from esper_audit.findings.errors import EsperAuditError
from esper_audit.probes.sandbox.fork_server import ServerReady, ServerSetup
from esper_audit.probes.sandbox.interpreter import clean_environment, start_interpreter
from esper_audit.probes.sandbox.lane_process import START_SECONDS, LaneReady, LaneSetup
from esper_audit.probes.sandbox.outcome import (
    PATIENCE,
    Cost,
    Job,
    JobOutcome,
    JobRequest,
    ServerDied,
)
from esper_audit.probes.sandbox.protocol import receive, send

PRELOAD_SECONDS = (
    300.0  # torch takes one or two seconds, many more from a cold disk or on a loaded machine
)
GRACE_SECONDS = 10.0  # for killing and reaping, beyond the time of the job
LOG_CHARACTERS = 2000
REQUEST_LANE = b"L"


class SandboxError(EsperAuditError):
    """The sandbox itself failed."""


class ForkServer:
    """The server process as seen by the caller.

    Several threads may request lanes from it.
    """

    def __init__(self, setup: ServerSetup, scratch: str) -> None:
        self._setup = setup
        self._scratch = scratch
        self._log = os.path.join(scratch, "server.log")
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._starting: subprocess.Popen[bytes] | None = None
        self._is_interrupted = False
        self._control: socket.socket | None = None

    def new_lane(self) -> socket.socket:
        """Return a connection to a new lane.

        Start the server if it is not running.
        Raises SandboxError if the server cannot be started, or dies twice in a row.
        """
        with self._turn:
            for _ in range(2):
                connection = _request_lane(self._control or self._start())
                if connection is not None:
                    return connection
                self._stop()  # the server has died, so a second attempt starts another
        raise SandboxError(self._error_text("died twice in a row"))

    def interrupt(self) -> None:
        """End a start in progress, and make later ones fail, since their imports take seconds.

        Called by another thread.
        """
        self._is_interrupted = True
        if self._starting is not None:
            self._starting.kill()

    def close(self) -> None:
        """End the server, which ends its lanes."""
        with self._turn:
            self._stop()

    def _start(self) -> socket.socket:
        control, theirs = socket.socketpair()
        with theirs, open(self._log, "ab") as log:
            self._process = self._starting = start_interpreter(
                "esper_audit.probes.sandbox.fork_server",
                [str(theirs.fileno())],
                clean_environment(self._scratch),
                (subprocess.DEVNULL, log, log),
                [theirs.fileno()],
            )
        self._control = control
        if self._is_interrupted:
            self._process.kill()
        control.settimeout(PRELOAD_SECONDS)
        ready = None
        # A timeout and a closed connection have the same consequence.
        with contextlib.suppress(OSError):
            send(control, self._setup)
            ready = receive(control, ServerReady)
        self._starting = None
        if ready is None or ready.problem:
            problem = ready.problem if ready else "it died or was not ready in time"
            self._stop()
            raise SandboxError(self._error_text(f"cannot import its modules: {problem}"))
        control.settimeout(None)
        return control

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _error_text(self, problem: str) -> str:
        with open(self._log, encoding="utf-8", errors="replace") as file:
            log = file.read()[-LOG_CHARACTERS:].strip()
        return f"the sandbox's server {problem}" + (f"\n{log}" if log else "")


def _request_lane(control: socket.socket) -> socket.socket | None:
    """Request a lane from the server.

    Return None if the server has ended.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            socket.send_fds(control, [REQUEST_LANE], [theirs.fileno()])
        except OSError:
            ours.close()
            return None
    return ours


class ForkLane:
    """Runs jobs one after another in children of one process, which is replaced when it dies."""

    def __init__(self, server: ForkServer, setup: LaneSetup, scratch: str) -> None:
        self._server = server
        self._setup = setup
        self._limits = setup.limits
        self._scratch = scratch
        self._numbers = itertools.count()
        self._connection: socket.socket | None = None
        self._process = 0

    def run(self, job: Job, stopped: threading.Event) -> JobOutcome:
        """Run a job and return its outcome.

        Raise SandboxError if the server provides no lane.
        """
        limits = job.limits or self._limits
        request = JobRequest(job, limits, os.path.join(self._scratch, str(next(self._numbers))))
        connection = self._connection or self._open(stopped)
        connection.settimeout(START_SECONDS + PATIENCE * limits.seconds + GRACE_SECONDS)
        outcome = None
        try:
            send(connection, request)
            outcome = receive(connection, JobOutcome)
        except TimeoutError:
            # The lane is stopped. Its process id stays reserved until the server reaps it.
            os.kill(self._process, signal.SIGKILL)
        except OSError:
            outcome = None
        if outcome is None:
            self.close()
            return JobOutcome(job.name, ServerDied(), "starting", "", Cost())
        return outcome

    def interrupt(self) -> None:
        """Wake from waiting for a job.

        Called by another thread after `stopped` is set.
        """
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, which ends the lane."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, stopped: threading.Event) -> socket.socket:
        """Return a connection to a lane with the user's packages imported, or without if that fails.

        The second attempt is made without packages too: the first server may have died with the request.
        """
        connection, ready = self._request(stopped)
        has_failed = ready is None or ready.problem != ""
        if has_failed and not stopped.is_set():
            self.close()
            self._setup = LaneSetup((), self._limits)
            connection, ready = self._request(stopped)
        if ready is None:
            raise SandboxError("the sandbox's server forks lanes that die at once")
        self._process = ready.process
        return connection

    def _request(self, stopped: threading.Event) -> tuple[socket.socket, LaneReady | None]:
        connection = self._connection = self._server.new_lane()
        if stopped.is_set():  # interrupt() may have been called before the connection existed
            return connection, None
        connection.settimeout(self._limits.seconds + GRACE_SECONDS)
        try:
            send(connection, self._setup)
            return connection, receive(connection, LaneReady)
        except OSError:
            return connection, None
