"""The limits that the operating system enforces on a job's process: all on Linux, none on Windows.

Memory is limited by what a process maps for itself to write, not by its address space, of which the default
wheel of torch takes gigabytes for libraries. macOS accepts the limit but does not enforce it.
"""

from __future__ import annotations

import importlib.util
import sys

from esper_audit.probes.sandbox.outcome import MEBIBYTE, Limits

HAS_LIMITS = importlib.util.find_spec("resource") is not None
if sys.platform != "win32" and HAS_LIMITS:
    import resource

KIBIBYTE = 1024
STATUS = "/proc/self/status"
REPORT_BYTES = 64 * MEBIBYTE  # for the report of a process that ran out of memory


def apply_limits(limits: Limits, *, for_good: bool) -> None:
    """Limit this process and its children.

    `for_good` also lowers the hard limits, which is irreversible.
    """
    if sys.platform == "win32" or not HAS_LIMITS:
        return
    _limit(resource.RLIMIT_CORE, 0, 0)
    memory, file = private_bytes() + limits.memory_bytes, limits.file_bytes
    _limit(resource.RLIMIT_DATA, memory, memory + REPORT_BYTES if for_good else None)
    _limit(resource.RLIMIT_FSIZE, file, file if for_good else None)


def release_reserve() -> None:
    """Raise the soft limit on memory to the hard limit, so that a failure can be reported."""
    if sys.platform != "win32" and HAS_LIMITS:
        _limit(resource.RLIMIT_DATA, resource.getrlimit(resource.RLIMIT_DATA)[1], None)


def private_bytes() -> int:
    """Return the private writable memory that this process has mapped, 0 where the system does not say."""
    try:
        with open(STATUS, encoding="ascii") as file:
            line = next(line for line in file if line.startswith("VmData:"))
    except (OSError, StopIteration):
        return 0
    return int(line.split()[1]) * KIBIBYTE


def _limit(kind: int, soft: int, hard: int | None) -> None:
    """Set a soft and a hard limit, neither above the current hard limit.

    None keeps the hard limit.
    """
    if sys.platform == "win32":
        return
    ceiling = resource.getrlimit(kind)[1]
    ceiling = ceiling if hard is None else _lower(hard, ceiling)
    resource.setrlimit(kind, (_lower(soft, ceiling), ceiling))


def _lower(one: int, other: int) -> int:
    """Return the lower of two limits, where -1 means unlimited."""
    finite = [limit for limit in (one, other) if limit >= 0]
    return min(finite, default=-1)
