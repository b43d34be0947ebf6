"""Map a function over files in worker processes with limits.

A process that dies or exceeds a limit costs only its current file.

A worker is a fork of this process. It writes the name of its current step into a status word in shared
memory. The parent ends a worker that exceeds a limit of time or memory on a file, and reads the step
that exceeded it from the status word.
"""

from __future__ import annotations

import gc
import mmap
import os
import select
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Generic, NamedTuple, NoReturn, Protocol, TypeVar

import msgspec

from esper_audit.findings.finding import NotAnalysed


@contextmanager
def collector_off() -> Iterator[None]:
    """Switch the garbage collector off inside the block.

    Reference counts free the syntax trees.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


WORTH_FORKING = 150
LENGTH_BYTES = 4
STATUS_BYTES = 256
POLL_SECONDS = 0.2
PAGES_FILE = "/proc/{pid}/statm"
MEBIBYTE = 1 << 20


class WorkLimits(NamedTuple):
    """What one file may cost: seconds by the clock, and added resident memory in MiB."""

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


def map_files(
    work: Work[Result],
    paths: Sequence[str],
    jobs: int,
    kind: type[Result],
    *,
    limits: WorkLimits | None = None,
    can_fork: bool = "fork" in vars(os),
) -> Iterator[Result]:
    """Yield the result of `work` for each path, in no particular order.

    `jobs` 0 chooses the number of processes.

    `kind` is the struct that `work` returns. Without `limits`, one job runs in this process. Where
    processes cannot be forked, all files are processed in this process without limits.
    """
    count = jobs or _sensible_jobs(len(paths))
    if not can_fork or not paths or (count <= 1 and limits is None):
        yield from (work(path, ()) for path in paths)
        return
    workers = [_Worker(work, paths[start::count], kind, limits) for start in range(count)]
    by_descriptor = {worker.start(): worker for worker in workers if worker.remaining}
    while by_descriptor:
        ready, _, _ = select.select(list(by_descriptor), [], [], POLL_SECONDS if limits else None)
        for descriptor, worker in list(by_descriptor.items()):
            result = worker.receive() if descriptor in ready else None
            if result is None and (descriptor in ready or worker.is_over_limit()):
                del by_descriptor[descriptor]
                result = worker.reap()
                by_descriptor |= {worker.start(): worker} if worker.remaining else {}
            if result is not None:
                yield result


def _sensible_jobs(files: int) -> int:
    return (os.cpu_count() or 1) if files > WORTH_FORKING else 1


class _Worker(Generic[Result]):
    """A child process and its remaining paths, in the order of its work."""

    def __init__(
        self,
        work: Work[Result],
        paths: Sequence[str],
        kind: type[Result],
        limits: WorkLimits | None,
    ) -> None:
        self._run = work
        self._kind = kind
        self._limits = limits
        self.remaining = list(paths)
        self._status = mmap.mmap(-1, STATUS_BYTES)
        self._broken = ""
        self._failed: dict[str, NotAnalysed] = {}
        self._since = 0.0
        self._inherited_memory = 0
        self._pipe: BinaryIO
        self._pid = 0

    def start(self) -> int:
        """Fork and return the descriptor from which results can be read."""
        reader, writer = os.pipe()
        self._status[:STATUS_BYTES] = b" " * STATUS_BYTES
        self._since = time.monotonic()
        self._inherited_memory = _own_memory(os.getpid())
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reader)
            _work(self._run, self.remaining, tuple(self._failed), writer, self._status)
        os.close(writer)
        self._pipe = os.fdopen(reader, "rb", buffering=0)
        return reader

    def receive(self) -> Result | None:
        """Return the next result, None when the child has ended."""
        size = self._read(LENGTH_BYTES)
        data = self._read(int.from_bytes(size)) if len(size) == LENGTH_BYTES else b""
        if len(size) < LENGTH_BYTES or len(data) < int.from_bytes(size):
            return None
        result = msgspec.msgpack.decode(data, type=self._kind)
        self.remaining.remove(result.path)
        self._since = time.monotonic()
        return self._with_failures(result)

    def is_over_limit(self) -> bool:
        """Return whether the child exceeded a limit on its current file, and end it if so."""
        if self._limits is None:
            return False
        if time.monotonic() - self._since > self._limits.seconds:
            self._broken = f"took longer than {self._limits.seconds:g} s"
        elif self._grown_memory() > self._limits.memory * MEBIBYTE:
            self._broken = f"took more than {self._limits.memory} MiB of memory"
        else:
            return False
        os.kill(self._pid, signal.SIGKILL)
        return True

    def reap(self) -> Result | None:
        """Wait for the child.

        If a file ended it, return the result of the file, or None if the file is to be tried again.
        """
        self._pipe.close()
        _, status = os.waitpid(self._pid, 0)
        if not self.remaining:
            return None
        path, broken, self._broken = self.remaining[0], self._broken, ""
        step = bytes(self._status[:STATUS_BYTES]).decode(errors="replace").strip()
        if broken and step and step not in self._failed:
            self._failed[step] = NotAnalysed(path, f"the rule {broken}", check=step)
            return None
        self.remaining.pop(0)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        how = f"was killed by {signal.Signals(number).name}" if number else "ended without a word"
        problem = NotAnalysed(path, broken or f"the process looking at it {how}")
        return self._with_failures(self._kind(path, not_analysed=[problem], lost=True))

    def _grown_memory(self) -> int:
        """Return the bytes by which the child exceeds the memory that it inherited from this process."""
        return _own_memory(self._pid) - self._inherited_memory

    def _with_failures(self, result: Result) -> Result:
        """Return a result with the steps that exceeded a limit on its file.

        The next file starts without them.
        """
        failed, self._failed = list(self._failed.values()), {}
        if not failed:
            return result
        known: list[NotAnalysed] = msgspec.structs.asdict(result)["not_analysed"]  # type: ignore[arg-type]  # a struct
        return msgspec.structs.replace(result, not_analysed=sorted({*known, *failed}), lost=True)  # type: ignore[type-var]  # likewise

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._pipe.read(size - len(data))
            if not piece:
                break
            data += piece
        return data


def _own_memory(pid: int) -> int:
    """Return the resident memory of a process that no file backs, in bytes, or 0 where it is not reported.

    A child inherits exactly this part from its parent. Pages of libraries are mapped anew when it
    reads them, so that they say nothing about what it added.
    """
    try:
        with open(PAGES_FILE.format(pid=pid), "rb") as file:
            _, resident, shared = file.read().split()[:3]
            return (int(resident) - int(shared)) * mmap.PAGESIZE
    except (OSError, ValueError):
        return 0


def _work(
    work: Work[Result],
    paths: list[str],
    without: Collection[str],
    writer: int,
    status_word: mmap.mmap,
) -> NoReturn:
    """Write the result of each path to the pipe and exit, never returning into the code of the parent.

    `without` are the steps to leave out for the first path.
    """
    global _status  # each child has a status word of its own
    _status = status_word
    status = 1
    try:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for path in paths:
                data = msgspec.msgpack.encode(work(path, without))
                without = ()
                set_status("")
                pipe.write(len(data).to_bytes(LENGTH_BYTES) + data)
        status = 0
    finally:
        os._exit(status)
