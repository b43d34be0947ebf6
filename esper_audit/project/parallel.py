"""Map a function over files in several processes.

A process that dies costs only its current file.
"""

from __future__ import annotations

import gc
import os
import select
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Generic, Protocol, TypeVar

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


class WorkerResult(Protocol):
    """The result of a file: a struct with its path, which can also record that its process died."""

    def __init__(self, path: str, *, not_analysed: list[NotAnalysed], lost: bool) -> None: ...

    @property
    def path(self) -> str:
        """The file."""


Result = TypeVar("Result", bound=WorkerResult)
Work = Callable[[str], Result]


def map_files(
    work: Work[Result], paths: Sequence[str], jobs: int, kind: type[Result]
) -> Iterator[Result]:
    """Yield the result of `work` for each path, in no particular order.

    `jobs` 0 chooses their number.

    `kind` is the struct that `work` returns.
    """
    count = jobs or _sensible_jobs(len(paths))
    if count <= 1 or not paths:
        yield from map(work, paths)
        return
    workers = [_Worker(work, paths[start::count], kind) for start in range(count)]
    by_descriptor = {worker.start(): worker for worker in workers if worker.remaining}
    while by_descriptor:
        ready, _, _ = select.select(list(by_descriptor), [], [])
        for descriptor in ready:
            worker = by_descriptor[descriptor]
            result = worker.receive()
            if result is not None:
                yield result
                continue
            del by_descriptor[descriptor]
            lost = worker.reap()
            if lost is not None:
                yield lost
            if worker.remaining:
                by_descriptor[worker.start()] = worker


def _sensible_jobs(files: int) -> int:
    return (os.cpu_count() or 1) if files > WORTH_FORKING else 1


class _Worker(Generic[Result]):
    """A child process and its remaining paths, in the order of its work."""

    def __init__(self, work: Work[Result], paths: Sequence[str], kind: type[Result]) -> None:
        self._run = work
        self._kind = kind
        self.remaining = list(paths)
        self._pipe: BinaryIO
        self._pid = 0

    def start(self) -> int:
        """Fork and return the descriptor from which results can be read."""
        reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reader)
            _work(self._run, self.remaining, writer)
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
        return result

    def reap(self) -> Result | None:
        """Wait for the child.

        If paths remain, return a result for the file that ended it.
        """
        self._pipe.close()
        _, status = os.waitpid(self._pid, 0)
        if not self.remaining:
            return None
        path = self.remaining.pop(0)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        how = f"was killed by {signal.Signals(number).name}" if number else "ended without a word"
        problem = NotAnalysed(path, f"the process looking at it {how}")
        return self._kind(path, not_analysed=[problem], lost=True)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._pipe.read(size - len(data))
            if not piece:
                break
            data += piece
        return data


def _work(work: Work[Result], paths: list[str], writer: int) -> None:
    """Write the result of each path to the pipe and exit, never returning into the code of the parent."""
    status = 1
    try:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for path in paths:
                data = msgspec.msgpack.encode(work(path))
                pipe.write(len(data).to_bytes(LENGTH_BYTES) + data)
        status = 0
    finally:
        os._exit(status)
