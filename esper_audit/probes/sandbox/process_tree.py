"""Killing and reaping all processes of a job, including detached ones.

On Linux this is exact, because a process can adopt the orphans below it and can die with its parent.
Elsewhere the process group of a job is killed, and processes that left the group are not found.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

from esper_audit.probes.sandbox.outcome import Cost

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NANOSECONDS = 1e9
SWEEP_SECONDS = 5.0
SWEEP_PAUSE_SECONDS = 0.001
PROCESS_TABLE = "/proc"
HAS_WAITID = "waitid" in vars(os)  # macOS has it from Python 3.13 on, Windows never


def adopt_orphans() -> None:
    """Become the parent of each orphaned descendant, even of one that left the session."""
    if sys.platform == "linux":
        _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which forked it, dies."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}, {value}): {os.strerror(number)}")


def kill_group(leader: int) -> None:
    """Kill a process and the process group that it leads, by SIGKILL."""
    if sys.platform == "win32":
        os.kill(leader, signal.SIGTERM)  # on Windows this is TerminateProcess
        return
    for kill in (os.killpg, os.kill):
        try:
            kill(leader, signal.SIGKILL)
        except ProcessLookupError:
            continue


def kill_children(spared: frozenset[int] = frozenset()) -> bool:
    """Kill and reap each child of this process that is not spared.

    Return whether none is left.
    After `adopt_orphans` the descendants of a killed child become children, for the next round.
    """
    deadline = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < deadline:
        doomed = [pid for pid in _children() if pid not in spared]
        if not doomed:
            return True
        for pid in doomed:
            kill_group(pid)
            os.waitpid(pid, os.WNOHANG)
        time.sleep(SWEEP_PAUSE_SECONDS)
    return False


def kill_processes_using(scratch: str) -> None:
    """Kill each process whose temporary files lie in this folder, until there is none."""
    deadline = time.monotonic() + SWEEP_SECONDS
    while (doomed := processes_using(scratch)) and time.monotonic() < deadline:
        for pid in doomed:
            kill_group(pid)
        time.sleep(SWEEP_PAUSE_SECONDS)


def processes_using(scratch: str) -> list[int]:
    """Return the ids of the processes whose TMPDIR is this folder or one below it."""
    mark = b"TMPDIR=" + os.fsencode(scratch)
    ends = (b"\0", os.fsencode(os.sep))
    found = []
    for pid in _all_processes():
        with contextlib.suppress(OSError), open(f"{PROCESS_TABLE}/{pid}/environ", "rb") as file:
            content = file.read() + b"\0"
            if any(mark + end in content for end in ends):
                found.append(pid)
    return found


def has_children() -> bool:
    """Return whether this process has a child, running or not yet reaped."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def is_dead(pid: int) -> bool:
    """Return whether a child has ended.

    It is not reaped, so that its id and its group stay reserved.
    """
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _children() -> list[int]:
    mine = os.getpid()
    return [pid for pid in _all_processes() if _parent(pid) == mine]


def _all_processes() -> list[int]:
    """Return the ids of all processes, none on a system without /proc."""
    if not os.path.isdir(f"{PROCESS_TABLE}/self"):
        return []
    return [int(name) for name in os.listdir(PROCESS_TABLE) if name.isdigit()]


def _parent(pid: int) -> int:
    try:
        with open(f"{PROCESS_TABLE}/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def waited_seconds(pid: int) -> float:
    """Return how long a process that could run waited for a processor, 0 where the system does not say."""
    try:
        with open(f"{PROCESS_TABLE}/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / NANOSECONDS
    except (OSError, IndexError, ValueError):
        return 0.0


def wait_for_exit(pid: int) -> tuple[int, Cost]:
    """Wait for a child.

    Return its exit code (negative for a signal) and its cost without `seconds`.
    """
    if sys.platform == "win32":
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), Cost()
    _, status, usage = os.wait4(pid, 0)
    scale = 1 if sys.platform == "darwin" else 1024
    cost = Cost(0.0, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale)
    return os.waitstatus_to_exitcode(status), cost
