"""A command that is run with recording on, and what its processes recorded."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.findings.errors import UsageError, reason_of
from esper_audit.probes.recording.journal import FOLDER, PACKAGES, ROOT, read_journals
from esper_audit.probes.recording.signature import Recorded
from esper_audit.project.injection.torch_import import injected_environment

STARTER = "esper_audit.probes.recording.journal:start_recording"
SIGNALLED = 128  # a shell's status of a command that signal N ended is 128 + N


class RecordedRun(msgspec.Struct, frozen=True):
    """The exit status of a command as a shell gives it, and what was recorded."""

    status: int
    recorded: list[Recorded]


def run_recorded(command: Sequence[str], root: str, packages: Sequence[str]) -> RecordedRun:
    """Run a command with recording on.

    Ctrl-C and SIGTERM go to the command, and what it had recorded until then is returned. A command that
    cannot be started raises UsageError.
    """
    with tempfile.TemporaryDirectory(prefix="esper-audit-record-") as folder:
        settings = {FOLDER: folder, ROOT: root, PACKAGES: ",".join(packages)}
        environment = injected_environment(STARTER, settings)
        try:
            # The command is the user's own.
            process = subprocess.Popen(command, env=environment)  # noqa: S603  # run on purpose
        except OSError as error:
            reason = reason_of(error)
            raise UsageError(f"cannot start '{command[0]}': {reason}") from error
        with _signals_to(process):
            status = process.wait()
        return RecordedRun(
            SIGNALLED - status if status < 0 else status, list(read_journals(folder))
        )


@contextlib.contextmanager
def _signals_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave Ctrl-C to a command, which has the same terminal, and pass SIGTERM on to it."""
    interrupt = signal.signal(signal.SIGINT, lambda *_: None)
    terminate = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)
