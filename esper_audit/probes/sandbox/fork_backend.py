"""The caller's side of the fork server: starting it again when it has died, and lanes that carry out jobs."""

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
from esper_audit.probes.sandbox.outcome import Cost, Job, JobOutcome, JobRequest, Limits, ServerDied
from esper_audit.probes.sandbox.protocol import receive, send

PRELOAD_SECONDS = 300.0  # torch takes one to two; a cold disk or a loaded machine many times that
GRACE_SECONDS = 10.0  # for killing and reaping, beyond a job's own time
LOG_CHARACTERS = 2000
REQUEST_LANE = b"L"


class SandboxError(EsperAuditError):
    """The sandbox itself cannot be brought up."""


class ForkServer:
    """The process that has the trusted modules imported; several threads may ask it for lanes."""

    def __init__(self, setup: ServerSetup, scratch: str) -> None:
        self._setup = setup
        self._scratch = scratch
        self._log = os.path.join(scratch, "server.log")
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def new_lane(self) -> socket.socket:
        """Return a connection to a new lane; start the server first if there is none."""
        with self._turn:
            for _ in range(2):
                connection = _lane_of(self._control or self._start())
                if connection is not None:
                    return connection
                self._stop()  # it has died since: once more with a new one
        raise SandboxError(self._complaint("died twice in a row"))

    def close(self) -> None:
        """End the server; it takes what is left of its lanes along."""
        with self._turn:
            self._stop()

    def _start(self) -> socket.socket:
        control, theirs = socket.socketpair()
        with theirs, open(self._log, "ab") as log:
            self._process = start_interpreter(
                "esper_audit.probes.sandbox.fork_server",
                [str(theirs.fileno())],
                clean_environment(self._scratch),
                (subprocess.DEVNULL, log, log),
                [theirs.fileno()],
            )
        self._control = control
        control.settimeout(PRELOAD_SECONDS)
        ready = None
        with contextlib.suppress(
            OSError
        ):  # silence and death are told apart by nothing that matters here
            send(control, self._setup)
            ready = receive(control, ServerReady)
        if ready is None or ready.problem:
            problem = ready.problem if ready else "it died or was not ready in time"
            self._stop()
            raise SandboxError(self._complaint(f"cannot import its modules: {problem}"))
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

    def _complaint(self, what: str) -> str:
        with open(self._log, encoding="utf-8", errors="replace") as file:
            said = file.read()[-LOG_CHARACTERS:].strip()
        return f"The sandbox's server {what}" + (f"\n{said}" if said else "")


def _lane_of(control: socket.socket) -> socket.socket | None:
    """Ask the server for a lane; None when there is no server any more."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            socket.send_fds(control, [REQUEST_LANE], [theirs.fileno()])
        except OSError:
            ours.close()
            return None
    return ours


class ForkLane:
    """Carries out jobs one after another in children of one process; another process when that one dies."""

    def __init__(
        self, server: ForkServer, packages: tuple[str, ...], limits: Limits, scratch: str
    ) -> None:
        self.problem = ""
        self._server = server
        self._packages = packages
        self._limits = limits
        self._scratch = scratch
        self._numbers = itertools.count()
        self._connection: socket.socket | None = None
        self._process = 0

    def run(self, job: Job, stopped: threading.Event) -> JobOutcome:
        """Do a job; the outcome tells whatever happened to it. Raises SandboxError when no lane can be had."""
        limits = job.limits or self._limits
        request = JobRequest(job, limits, os.path.join(self._scratch, str(next(self._numbers))))
        connection = self._connection or self._open(stopped)
        connection.settimeout(START_SECONDS + limits.seconds + GRACE_SECONDS)
        outcome = None
        try:
            send(connection, request)
            outcome = receive(connection, JobOutcome)
        except TimeoutError:
            os.kill(
                self._process, signal.SIGKILL
            )  # stopped; its number stays taken until the server reaps it
        except OSError:
            outcome = None
        if outcome is None:
            self.close()
            return JobOutcome(job.name, ServerDied(), "starting", "", Cost())
        return outcome

    def interrupt(self) -> None:
        """Wake from waiting for a job; called from another thread once `stopped` is set."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, stopped: threading.Event) -> socket.socket:
        """Get a lane with the user's packages imported, or one without if they cannot be.

        A second try also where there are none: a server that is just dying may have taken the first request.
        """
        connection, ready = self._ask(self._packages, stopped)
        unfit = ready is None or ready.problem != ""
        if unfit and not stopped.is_set():
            if self._packages:
                packages = ", ".join(self._packages)
                self.problem = ready.problem if ready else f"importing {packages} ends the process"
            self.close()
            self._packages = ()
            connection, ready = self._ask((), stopped)
        if ready is None:
            raise SandboxError("The sandbox's server gives lanes that die at birth")
        self._process = ready.process
        return connection

    def _ask(
        self, packages: tuple[str, ...], stopped: threading.Event
    ) -> tuple[socket.socket, LaneReady | None]:
        connection = self._connection = self._server.new_lane()
        if stopped.is_set():  # interrupt() may have come before there was a connection
            return connection, None
        connection.settimeout(self._limits.seconds + GRACE_SECONDS)
        try:
            send(connection, LaneSetup(packages, self._limits))
            return connection, receive(connection, LaneReady)
        except OSError:
            return connection, None
