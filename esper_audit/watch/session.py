"""A watched command from its start to its end: the environment, the signals, and what it wrote."""

from __future__ import annotations

import math
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from esper_audit.findings.errors import UsageError, reason_of
from esper_audit.project.injection.torch_import import injected_environment
from esper_audit.watch.collectives import find_stuck
from esper_audit.watch.records import (
    ONLY,
    PROJECT_ROOT,
    REPORT_FOLDER,
    STEPS,
    Ended,
    Failed,
    Looked,
    Measured,
    Record,
    Seen,
    UserLine,
    read_records,
)

STARTER = "esper_audit.watch.start:watch"
LOOK_EVERY = 0.5  # seconds


class WatchRequest(msgspec.Struct, frozen=True):
    """What to watch: a command with its arguments, for how many steps, and by which monitors."""

    command: tuple[str, ...]
    steps: int = 20
    only: tuple[str, ...] = ()


class WatchResult(msgspec.Struct, frozen=True):
    """What a command did, and what its processes wrote.

    By monitor, `looks` are counts, `reasons` are why one had nothing to look at, and `places` are the
    lines it looked at.
    """

    status: int
    seen: list[Seen]
    measured: list[Measured]
    looks: dict[str, int]
    reasons: dict[str, str]
    places: dict[str, list[UserLine]]
    failed: list[Failed]
    ended: list[Ended]


def run_watched(request: WatchRequest, root: str) -> WatchResult:
    """Run a command with its monitors, and return what they found.

    Ctrl-C goes to the command. What it found until then is returned. A command that cannot be started
    raises UsageError.
    """
    with tempfile.TemporaryDirectory(prefix="esper-audit-watch-") as folder:
        status, stuck = _run(request, _environment(request, root, folder), Path(folder))
        result = _result(status, list(read_records(Path(folder))))
        return msgspec.structs.replace(result, seen=[*result.seen, *([stuck] if stuck else [])])


def _run(
    request: WatchRequest, environment: dict[str, str], folder: Path
) -> tuple[int, Seen | None]:
    """Return the status of the command, and the collective call for which it had to be ended."""
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = _started(request.command, environment)
        stuck = _wait(process, folder)
        status = process.wait()
        return status, find_stuck(folder, math.inf) if status and stuck is None else stuck
    finally:
        signal.signal(signal.SIGINT, ignored)


def _started(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a command, which is the user's own, and return its process."""
    try:
        return subprocess.Popen(  # noqa: S603  # run on purpose
            command, env=environment, preexec_fn=_take_interrupts
        )
    except OSError as error:
        raise UsageError(f"cannot start '{command[0]}': {reason_of(error)}") from error


def _wait(process: subprocess.Popen[bytes], folder: Path) -> Seen | None:
    """Wait for a command, and end it if a rank waits for one that cannot come any more."""
    while True:
        try:
            process.wait(LOOK_EVERY)
        except subprocess.TimeoutExpired:
            stuck = find_stuck(folder, time.time())
            if stuck is None:
                continue
            process.terminate()
            return stuck
        return None


def _take_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _environment(request: WatchRequest, root: str, folder: str) -> dict[str, str]:
    settings = {
        REPORT_FOLDER: folder,
        PROJECT_ROOT: root,
        STEPS: str(request.steps),
        ONLY: ",".join(request.only),
    }
    return injected_environment(STARTER, settings)


def _result(status: int, records: Sequence[Record]) -> WatchResult:
    looks: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    places: dict[str, list[UserLine]] = {}
    for record in records:
        if isinstance(record, Looked):
            looks[record.check] += record.times
            reasons[record.check] = record.reason
            places.setdefault(record.check, []).extend(record.places)
    return WatchResult(
        status=status,
        seen=[record for record in records if isinstance(record, Seen)],
        measured=[record for record in records if isinstance(record, Measured)],
        looks={check: times for check, times in looks.items() if times},
        reasons={check: reason for check, reason in reasons.items() if not looks[check]},
        places=places,
        failed=[record for record in records if isinstance(record, Failed)],
        ended=[record for record in records if isinstance(record, Ended)],
    )
