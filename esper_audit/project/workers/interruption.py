"""Ending a run early on SIGINT or SIGTERM: its jobs stop, and the caller reports what it has so far."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from esper_audit.findings.errors import EsperAuditError

SAME_SECONDS = 0.3
SIGNALS = (signal.SIGINT, signal.SIGTERM)
BECAUSE = "because the run was interrupted"


class Interrupted(EsperAuditError):
    """The run was to end before all of its jobs had run."""


class Interruption:
    """Whether the run is to end early, and what then stops."""

    def __init__(self) -> None:
        self.is_requested = False
        self._stops: list[Callable[[], None]] = []

    def attach(self, stop: Callable[[], None]) -> None:
        """Have a function called when the run is to end, at once if that is the case already.

        It may be called twice, and from another thread.
        """
        self._stops.append(stop)
        if self.is_requested:
            stop()

    def request(self) -> None:
        """Have the run end."""
        self.is_requested = True
        for stop in [*self._stops]:
            stop()


@contextlib.contextmanager
def interruption_by_signals(announce: Callable[[], None]) -> Iterator[Interruption]:
    """Yield an interruption that the first SIGINT or SIGTERM requests, after a call of `announce`.

    The second signal has the effect that it had before. A signal that is ignored stays ignored. Outside of
    the main thread signals cannot be handled.
    """
    interruption = Interruption()
    received: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def wait() -> None:
        if received.get():
            announce()
            interruption.request()

    # The handler interrupts the main thread anywhere: it must not wait for a lock, and another thread does the rest.
    waiting = threading.Thread(target=wait, name="esper-audit-interruption", daemon=True)
    waiting.start()
    with _first_signal_to(lambda: received.put(True)):
        yield interruption
    received.put(False)
    waiting.join()


@contextlib.contextmanager
def _first_signal_to(take: Callable[[], None]) -> Iterator[None]:
    """Call a function at the first signal only. What arrives right after it is the same one.

    `timeout` and some shells send a signal to a process and once more to its group.
    """
    known = {number: signal.getsignal(number) for number in SIGNALS}
    is_main = threading.current_thread() is threading.main_thread()
    before = {n: old for n, old in known.items() if is_main and old not in (signal.SIG_IGN, None)}

    def restore() -> None:
        for number, old in before.items():
            signal.signal(number, old)

    first: list[float] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not first:
            first.append(now)
            take()
        elif now - first[0] > SAME_SECONDS:
            restore()
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
