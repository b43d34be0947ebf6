"""What keeps the user's run as it was: monitors that raise, and functions that are put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from esper_audit.watch.monitor import Monitor
from esper_audit.watch.records import Failed
from esper_audit.watch.run import Run


class Guard:
    """Turns an exception of a monitor into a record, so that the user's run goes on.

    A context manager and not an `except`: what a monitor may raise cannot be listed.
    """

    def __init__(self, run: Run, monitor: Monitor, drop: Callable[[Monitor], None]) -> None:
        self.run, self.monitor, self.drop = run, monitor, drop

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool:
        """Record an exception, and let interrupts pass."""
        if not isinstance(error, Exception):
            return False
        self.run.write(Failed(self.monitor.id, f"{type(error).__name__}: {error}"))
        self.drop(self.monitor)
        return True


def restore(owner: Any, name: str, wrapper: Any, original: Any) -> None:
    """Put a function back, unless another has taken its place since."""
    if vars(owner)[name] is wrapper:
        setattr(owner, name, original)
