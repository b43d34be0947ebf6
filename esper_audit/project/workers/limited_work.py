"""The work of one process on a list of files, with limits a file: what remains, what failed, what is over a limit.

The process writes the name of its current step into a status word in shared memory. The parent ends a
process that exceeds a limit of time or memory on a file, and reads the step that exceeded it from the
status word.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Collection, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from esper_audit.findings.finding import NotAnalysed

STATUS_BYTES = 256
POLL_SECONDS = 0.2
PAGES_FILE = "/proc/{pid}/statm"
STATE_FILE = "/proc/{pid}/stat"
WORKS_OR_WAITS = (b"R", b"D")  # for a processor, or for a disk
MOST_BUSY = 6
MEBIBYTE = 1 << 20
KIBIBYTE = 1 << 10


class WorkLimits(NamedTuple):
    """What one file may cost: seconds, and added resident memory in MiB.

    The seconds are of the processor where a process works, so that a busy machine costs no file, and by the
    clock where it sleeps. By the clock they are never more than `MOST_BUSY` times as many.
    """

    seconds: float = 10.0
    memory: int = 512


class WorkerResult(Protocol):
    """The result of a file: a struct with its path, which can also record that its process died."""

    def __init__(self, path: str, *, not_analysed: list[NotAnalysed], lost: bool) -> None: ...

    @property
    def path(self) -> str:
        """The file."""


Result = TypeVar("Result", bound=WorkerResult)
Work = Callable[[str, Collection[str]], Result]
"""Return the result of a file, without the steps (as named by `set_status`) that exceeded a limit."""

_status: mmap.mmap | None = None


def set_status(step: str) -> None:
    """Record which step of the work on the current file is running, for the parent process."""
    if _status is not None:
        _status[:STATUS_BYTES] = step.encode()[:STATUS_BYTES].ljust(STATUS_BYTES)


def use_status_word(word: mmap.mmap) -> None:
    """Let `set_status` of this process write into a status word."""
    global _status  # each process has a status word of its own
    _status = word


class LimitedWork(Generic[Result]):
    """The remaining paths of one process, in the order of its work, and the steps that exceeded a limit."""

    def __init__(
        self, paths: Sequence[str], kind: type[Result], limits: WorkLimits | None, word: mmap.mmap
    ) -> None:
        self._kind = kind
        self._limits = limits
        self.remaining = list(paths)
        self._word = word
        self._broken = ""
        self._failed: dict[str, NotAnalysed] = {}
        self._since = 0.0
        self._processor_before: float | None = None  # the file, once it is asked for
        self._memory_read = 0.0
        self._inherited_memory = 0

    @property
    def without(self) -> tuple[str, ...]:
        """The steps to leave out on the first of the remaining paths."""
        return tuple(self._failed)

    def begin(self, inherited_memory: int) -> None:
        """Note that a process starts with memory that does not count."""
        self._word[:STATUS_BYTES] = b" " * STATUS_BYTES
        self._since = self._memory_read = time.monotonic()
        self._processor_before = None
        self._inherited_memory = inherited_memory

    def accept(self, data: bytes) -> Result:
        """Return the result that a process has encoded."""
        result = msgspec.msgpack.decode(data, type=self._kind)
        self.remaining.remove(result.path)
        self._since, self._processor_before = time.monotonic(), None
        return self._with_failures(result)

    def is_over_limit(self, pid: int) -> bool:
        """Return whether a process exceeded a limit on its current file."""
        if self._limits is None:
            return False
        now = time.monotonic()
        if self._is_too_long(pid, now - self._since, self._limits.seconds):
            self._broken = f"took longer than {self._limits.seconds:g} s"
            return True
        if now - self._memory_read < POLL_SECONDS:
            return False
        self._memory_read = now
        if own_memory(pid) - self._inherited_memory > self._limits.memory * MEBIBYTE:
            self._broken = f"took more than {self._limits.memory} MiB of memory"
        return bool(self._broken)

    def _is_too_long(self, pid: int, elapsed: float, seconds: float) -> bool:
        """Return whether a process took too long, and did not merely wait for its turn."""
        is_first = self._processor_before is None
        if elapsed <= (min(POLL_SECONDS, seconds) if is_first else seconds):
            return False  # without a look at a process that is soon done
        if self._processor_before is None:
            state = process_state(pid)
            self._processor_before = state.seconds if state else None
        return is_too_long(pid, elapsed, seconds, self._processor_before or 0.0)

    def lost(self, signal_number: int) -> Result | None:
        """Return the result of the file that ended a process, None if there is none or it is tried again.

        `signal_number` is the signal that ended the process, 0 if none did.
        """
        if not self.remaining:
            return None
        path, broken, self._broken = self.remaining[0], self._broken, ""
        step = bytes(self._word[:STATUS_BYTES]).decode(errors="replace").strip()
        if broken and step and step not in self._failed:
            self._failed[step] = NotAnalysed(path, f"the rule {broken}", check=step)
            return None
        self.remaining.pop(0)
        problem = NotAnalysed(path, broken or f"the process looking at it {_end(signal_number)}")
        return self._with_failures(self._kind(path, not_analysed=[problem], lost=True))

    def _with_failures(self, result: Result) -> Result:
        """Return a result with the steps that exceeded a limit on its file.

        The next file starts without them.
        """
        failed, self._failed = list(self._failed.values()), {}
        if not failed:
            return result
        known: list[NotAnalysed] = msgspec.structs.asdict(result)["not_analysed"]  # type: ignore[arg-type]  # a struct
        return msgspec.structs.replace(result, not_analysed=sorted({*known, *failed}), lost=True)  # type: ignore[type-var]  # likewise


def is_too_long(pid: int, elapsed: float, seconds: float, processor_before: float = 0.0) -> bool:
    """Return whether a process took more than its seconds, and did not merely wait for its turn.

    `elapsed` are seconds by the clock, `processor_before` processor seconds that do not count.
    """
    if elapsed <= seconds:
        return False
    state = process_state(pid)
    if state is None:
        return True
    used = state.seconds - processor_before
    return not (state.is_busy and used < seconds and elapsed < MOST_BUSY * seconds)


class ProcessState(NamedTuple):
    """Whether a process works or waits to, and the processor seconds that it has used."""

    is_busy: bool
    seconds: float


def process_state(pid: int) -> ProcessState | None:
    """Return the state of a process, None without /proc or where the process is gone."""
    try:
        with open(STATE_FILE.format(pid=pid), "rb") as file:
            fields = file.read().rpartition(b")")[2].split()  # what is before is its name
        ticks = int(fields[11]) + int(fields[12])
    except (OSError, ValueError, IndexError):
        return None
    return ProcessState(fields[0] in WORKS_OR_WAITS, ticks / os.sysconf("SC_CLK_TCK"))


def own_memory(pid: int) -> int:
    """Return the resident memory of a process that no file backs, in bytes, or 0 where it is not reported.

    A child inherits exactly this part from its parent. Pages of libraries are mapped anew when it
    reads them, so that they say nothing about what it added. Without /proc, `ps` reports all that is
    resident.
    """
    try:
        with open(PAGES_FILE.format(pid=pid), "rb") as file:
            _, resident, shared = file.read().split()[:3]
            return (int(resident) - int(shared)) * mmap.PAGESIZE
    except (OSError, ValueError):
        return _resident_by_ps(pid)


def _end(signal_number: int) -> str:
    from signal import Signals

    return (
        f"was killed by {Signals(signal_number).name}" if signal_number else "ended without a word"
    )


def _resident_by_ps(pid: int) -> int:
    import subprocess

    try:
        printed = subprocess.run(  # noqa: S603 - no shell, a number
            ["ps", "-o", "rss=", "-p", str(pid)],  # noqa: S607 - wherever the system has it
            capture_output=True,
            check=False,
        ).stdout
        return int(printed) * KIBIBYTE
    except (OSError, ValueError):
        return 0


def is_memory_reported() -> bool:
    """Return whether this system reports the memory of a process, so that a limit of it can hold."""
    return own_memory(os.getpid()) > 0


def run_work(
    work: Work[Result],
    paths: Sequence[str],
    without: Collection[str],
    write: Callable[[bytes], object],
) -> None:
    """Write the encoded result of each path, without some steps on the first."""
    for path in paths:
        data = msgspec.msgpack.encode(work(path, without))
        without = ()
        set_status("")
        write(data)
