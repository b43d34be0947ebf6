"""The server process: imports the trusted modules once and forks a lane for each socket that it receives."""

from __future__ import annotations

import functools
import gc
import os
import shutil
import socket
import sys
import traceback

import msgspec

from esper_audit.probes.sandbox.job_process import limit_torch_threads, load_module, run_and_exit
from esper_audit.probes.sandbox.lane_process import serve as serve_lane
from esper_audit.probes.sandbox.process_tree import adopt_orphans, die_with_parent, kill_children
from esper_audit.probes.sandbox.protocol import receive, send


class ServerSetup(msgspec.Struct, frozen=True):
    """The modules that the server imports, and the folders at the start of its import path."""

    preload: tuple[str, ...]
    search_path: tuple[str, ...]


class ServerReady(msgspec.Struct, frozen=True):
    """The answer of the server, where `problem` is the reason if it cannot serve, else empty."""

    problem: str


def main() -> None:
    """Serve on the socket whose file descriptor is the last command-line argument."""
    caller = os.getppid()
    try:
        with socket.socket(fileno=int(sys.argv[-1])) as control:
            setup = receive(control, ServerSetup)
            if setup is None:
                return
            problem = import_modules(setup)
            send(control, ServerReady(problem))
            if not problem:
                _serve(control)
    finally:
        if os.getppid() != caller:  # it was killed, and removes its files no more
            shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


def import_modules(setup: ServerSetup) -> str:
    """Import the trusted modules without running torch operations.

    Return the first error, else an empty text.
    """
    sys.path[:0] = setup.search_path
    for module in setup.preload:
        try:
            load_module(module)
        except Exception as error:  # noqa: BLE001 - the caller raises it as its own error
            return f"{module}: " + "".join(traceback.format_exception_only(error)).strip()
    limit_torch_threads()
    gc.collect()
    gc.freeze()
    return ""


def _serve(control: socket.socket) -> None:
    """Fork a lane for each socket that arrives, until the caller closes the connection."""
    adopt_orphans()
    lanes: set[int] = set()
    me = os.getpid()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            break
        lanes = {lane for lane in lanes if _is_running(lane)}
        kill_children(spared=frozenset(lanes))
        lane = os.fork()
        if lane == 0:
            run_and_exit(functools.partial(_become_lane, me, control, descriptors[0]))
        os.close(descriptors[0])
        lanes.add(lane)
    kill_children()


def _is_running(lane: int) -> bool:
    """Return whether a lane is still running.

    Reap it if it is not.
    """
    return os.waitpid(lane, os.WNOHANG)[0] == 0


def _become_lane(server: int, control: socket.socket, descriptor: int) -> None:
    die_with_parent(server)
    control.close()
    with socket.socket(fileno=descriptor) as connection:
        serve_lane(connection)
