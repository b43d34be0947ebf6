"""The limits that the system enforces on a job's process: all of them on Linux, none on Windows.

macOS accepts a limit on address space and does not hold to it.
"""

from __future__ import annotations

import sys

if sys.platform != "win32":
    import resource

from esper_audit.probes.sandbox.outcome import MEBIBYTE, Limits

REPORT_BYTES = 64 * MEBIBYTE  # a process that ran out of memory still has to say so


def impose(limits: Limits, *, for_good: bool) -> None:
    """Limit this process and its children; `for_good` also lowers the hard limits."""
    if sys.platform == "win32":
        return
    _limit(resource.RLIMIT_CORE, 0, 0)
    memory, file = limits.memory_bytes, limits.file_bytes
    _limit(resource.RLIMIT_AS, memory, memory + REPORT_BYTES if for_good else None)
    _limit(resource.RLIMIT_FSIZE, file, file if for_good else None)


def allow_report() -> None:
    """Open the reserve of memory in which a failure is put into words."""
    if sys.platform != "win32":
        _limit(resource.RLIMIT_AS, resource.getrlimit(resource.RLIMIT_AS)[1], None)


def _limit(kind: int, soft: int, hard: int | None) -> None:
    """Set a limit, never above the hard limit that is in force; None leaves that one as it is."""
    if sys.platform == "win32":
        return
    ceiling = resource.getrlimit(kind)[1]
    wanted = ceiling if hard is None else _lower(hard, ceiling)
    resource.setrlimit(kind, (_lower(soft, wanted), wanted))


def _lower(one: int, other: int) -> int:
    """Return the lower of two limits; the system's infinity is -1."""
    finite = [limit for limit in (one, other) if limit >= 0]
    return min(finite, default=-1)
