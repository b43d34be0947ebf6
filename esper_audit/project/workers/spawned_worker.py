"""A worker process that is a new interpreter, where processes cannot be forked.

The job is named, not handed over: the entry is a function that makes the work anew from its payload.
"""

from __future__ import annotations

import gc
import importlib
import mmap
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import IO, Any, Generic, NamedTuple

import msgspec

from esper_audit.project.workers.limited_work import (
    POLL_SECONDS,
    STATUS_BYTES,
    LimitedWork,
    Result,
    WorkLimits,
    run_work,
    use_status_word,
)

LENGTH_BYTES = 4
BOOTSTRAP = "import sys; sys.path[:] = {path!r}; from {module} import serve; serve()"


class NamedWork(NamedTuple):
    """The work as `module:function`, and the bytes from which the function makes it."""

    entry: str
    payload: bytes


class FileJob(msgspec.Struct, frozen=True):
    """What a new interpreter is told on its standard input."""

    entry: str
    payload: bytes
    paths: list[str]
    without: tuple[str, ...]
    status_file: str


def map_in_interpreters(
    work: NamedWork, parts: Sequence[Sequence[str]], kind: type[Result], limits: WorkLimits | None
) -> Iterator[Result]:
    """Yield the result of each path, each part of the paths in an interpreter of its own."""
    with tempfile.TemporaryDirectory() as folder:
        workers = [
            _SpawnedWorker(work, part, kind, limits, os.path.join(folder, str(number)))
            for number, part in enumerate(parts)
        ]
        yield from _results(workers)


def _results(workers: Sequence[_SpawnedWorker[Result]]) -> Iterator[Result]:
    """Start the workers, and yield their results until no paths remain."""
    arrived: SimpleQueue[tuple[int, bytes | None]] = SimpleQueue()
    running = {number for number, worker in enumerate(workers) if worker.has_work}
    for number in running:
        workers[number].start(number, arrived)
    while running:
        number, data = _next(arrived)
        if data is not None:
            yield workers[number].accept(data)
        elif number >= 0:
            result = workers[number].reap()
            if result is not None:
                yield result
            if workers[number].has_work:
                workers[number].start(number, arrived)
            else:
                running.discard(number)
        for each in running:
            workers[each].end_over_limit()


def _next(arrived: SimpleQueue[tuple[int, bytes | None]]) -> tuple[int, bytes | None]:
    """Return the number of a worker and its next result, None at its end, and -1 after a while without either."""
    try:
        return arrived.get(timeout=POLL_SECONDS)
    except Empty:
        return -1, None


class _SpawnedWorker(Generic[Result]):
    """A new interpreter, and another one for what remains when it ends early."""

    def __init__(
        self,
        work: NamedWork,
        paths: Sequence[str],
        kind: type[Result],
        limits: WorkLimits | None,
        status_file: str,
    ) -> None:
        self._named = work
        self._status_file = status_file
        with open(status_file, "wb") as file:
            file.write(b" " * STATUS_BYTES)
        with open(status_file, "r+b") as file:
            self._word = mmap.mmap(file.fileno(), STATUS_BYTES)
        self._work = LimitedWork(paths, kind, limits, self._word)
        self._process: subprocess.Popen[bytes]

    @property
    def has_work(self) -> bool:
        """Return whether paths remain."""
        return bool(self._work.remaining)

    def start(self, number: int, arrived: SimpleQueue[tuple[int, bytes | None]]) -> None:
        """Start an interpreter on what remains, and a thread that puts its results into the queue."""
        code = BOOTSTRAP.format(path=sys.path, module=__name__)
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._work.begin(0)
        job = FileJob(*self._named, self._work.remaining, self._work.without, self._status_file)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            with self._process.stdin as stdin:
                stdin.write(msgspec.msgpack.encode(job))
        except OSError:
            pass  # it ended at once, which the end of its output reports
        reader = threading.Thread(
            target=_forward, args=(self._process.stdout, number, arrived), daemon=True
        )
        reader.start()

    def accept(self, data: bytes) -> Result:
        """Return the result in a message of the interpreter."""
        return self._work.accept(data)

    def end_over_limit(self) -> None:
        """End the interpreter if it exceeded a limit on its current file."""
        if self._process.poll() is None and self._work.is_over_limit(self._process.pid):
            self._process.kill()

    def reap(self) -> Result | None:
        """Wait for the interpreter, and return the result of the file that ended it, if one did."""
        status = self._process.wait()
        return self._work.lost(-status if status < 0 else 0)


def _forward(
    stream: IO[bytes], number: int, arrived: SimpleQueue[tuple[int, bytes | None]]
) -> None:
    """Put each message of a stream into a queue, and None at its end."""
    with stream:
        while len(size := stream.read(LENGTH_BYTES)) == LENGTH_BYTES:
            data = stream.read(int.from_bytes(size))
            if len(data) < int.from_bytes(size):
                break
            arrived.put((number, data))
    arrived.put((number, None))


def serve() -> None:
    """Do the job on standard input in this interpreter, and write each result to standard output."""
    gc.disable()
    with os.fdopen(os.dup(1), "wb", buffering=0) as pipe:
        os.dup2(2, 1)  # what a rule prints is no result
        job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=FileJob)
        with open(job.status_file, "r+b") as file:
            use_status_word(mmap.mmap(file.fileno(), STATUS_BYTES))
        module, _, name = job.entry.partition(":")
        make: Callable[[bytes], Any] = vars(importlib.import_module(module))[name]
        run_work(
            make(job.payload),
            job.paths,
            job.without,
            lambda data: pipe.write(len(data).to_bytes(LENGTH_BYTES) + data),
        )
