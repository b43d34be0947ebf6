"""Spreading files over processes by plain fork; a worker that dies costs the file in its hands and no other."""

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
    """Switch it off inside the block, and leave it as it was; reference counts free what trees hold."""
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
    """What looking at a file gives: a struct that says which file, and can say that a process died over it."""

    def __init__(self, path: str, *, not_analysed: list[NotAnalysed], lost: bool) -> None: ...

    @property
    def path(self) -> str:
        """The file."""


Result = TypeVar("Result", bound=WorkerResult)
Look = Callable[[str], Result]


def outcomes(
    look: Look[Result], paths: Sequence[str], jobs: int, kind: type[Result]
) -> Iterator[Result]:
    """Yield the outcome of each path, in no particular order; `jobs` 0 means as many as is sensible.

    `kind` is the struct that `look` returns.
    """
    count = jobs or _sensible_jobs(len(paths))
    if count <= 1 or not paths:
        yield from map(look, paths)
        return
    teams = [_Worker(look, paths[start::count], kind) for start in range(count)]
    by_descriptor = {worker.start(): worker for worker in teams if worker.remaining}
    while by_descriptor:
        ready, _, _ = select.select(list(by_descriptor), [], [])
        for descriptor in ready:
            worker = by_descriptor[descriptor]
            outcome = worker.receive()
            if outcome is not None:
                yield outcome
                continue
            del by_descriptor[descriptor]
            lost = worker.bury()
            if lost is not None:
                yield lost
            if worker.remaining:
                by_descriptor[worker.start()] = worker


def _sensible_jobs(files: int) -> int:
    return (os.cpu_count() or 1) if files > WORTH_FORKING else 1


class _Worker(Generic[Result]):
    """A child process and the paths it still has to look at, in the order in which it will."""

    def __init__(self, look: Look[Result], paths: Sequence[str], kind: type[Result]) -> None:
        self._look = look
        self._kind = kind
        self.remaining = list(paths)
        self._pipe: BinaryIO
        self._pid = 0

    def start(self) -> int:
        """Fork; return the descriptor on which outcomes will arrive."""
        reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reader)
            _work(self._look, self.remaining, writer)
        os.close(writer)
        self._pipe = os.fdopen(reader, "rb", buffering=0)
        return reader

    def receive(self) -> Result | None:
        """Return the next outcome, None when the child has gone."""
        size = self._read(LENGTH_BYTES)
        data = self._read(int.from_bytes(size)) if len(size) == LENGTH_BYTES else b""
        if len(size) < LENGTH_BYTES or len(data) < int.from_bytes(size):
            return None
        outcome = msgspec.msgpack.decode(data, type=self._kind)
        self.remaining.remove(outcome.path)
        return outcome

    def bury(self) -> Result | None:
        """Reap the child; if it left work behind, return the outcome of the file that killed it."""
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


def _work(look: Look[Result], paths: list[str], writer: int) -> None:
    """Look at each path and write the outcome; never returns into the parent's code."""
    status = 1
    try:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for path in paths:
                data = msgspec.msgpack.encode(look(path))
                pipe.write(len(data).to_bytes(LENGTH_BYTES) + data)
        status = 0
    finally:
        os._exit(status)
