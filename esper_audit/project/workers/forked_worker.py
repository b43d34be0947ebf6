"""A worker process that is a fork of this process."""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Sequence
from typing import BinaryIO, Generic, NoReturn

from esper_audit.project.workers.limited_work import (
    STATUS_BYTES,
    LimitedWork,
    Result,
    Work,
    WorkLimits,
    own_memory,
    run_work,
    use_status_word,
)

LENGTH_BYTES = 4


class ForkedWorker(Generic[Result]):
    """A forked child, and another one for what remains when it ends early."""

    def __init__(
        self,
        work: Work[Result],
        paths: Sequence[str],
        kind: type[Result],
        limits: WorkLimits | None,
    ) -> None:
        self._run = work
        self._word = mmap.mmap(-1, STATUS_BYTES)
        self._work = LimitedWork(paths, kind, limits, self._word)
        self._pipe: BinaryIO
        self._pid = 0

    @property
    def has_work(self) -> bool:
        """Return whether paths remain."""
        return bool(self._work.remaining)

    def start(self) -> int:
        """Fork and return the descriptor from which results can be read."""
        reader, writer = os.pipe()
        self._work.begin(own_memory(os.getpid()))
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reader)
            self._serve(writer)
        os.close(writer)
        self._pipe = os.fdopen(reader, "rb", buffering=0)
        return reader

    def receive(self) -> Result | None:
        """Return the next result, None when the child has ended."""
        size = self._read(LENGTH_BYTES)
        data = self._read(int.from_bytes(size)) if len(size) == LENGTH_BYTES else b""
        if len(size) < LENGTH_BYTES or len(data) < int.from_bytes(size):
            return None
        return self._work.accept(data)

    def is_ended_over_limit(self) -> bool:
        """Return whether the child exceeded a limit on its current file, and end it if so."""
        if not self._work.is_over_limit(self._pid):
            return False
        os.kill(self._pid, signal.SIGKILL)
        return True

    def reap(self) -> Result | None:
        """Wait for the child.

        If a file ended it, return the result of the file, or None if the file is to be tried again.
        """
        self._pipe.close()
        _, status = os.waitpid(self._pid, 0)
        return self._work.lost(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)

    def _serve(self, writer: int) -> NoReturn:
        """Write the result of each path to the pipe and exit, never returning into the code of the parent."""
        use_status_word(self._word)
        status = 1
        try:
            with os.fdopen(writer, "wb", buffering=0) as pipe:
                run_work(
                    self._run,
                    self._work.remaining,
                    self._work.without,
                    lambda data: pipe.write(len(data).to_bytes(LENGTH_BYTES) + data),
                )
            status = 0
        finally:
            os._exit(status)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._pipe.read(size - len(data))
            if not piece:
                break
            data += piece
        return data
