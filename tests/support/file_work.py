"""Work on files that a new interpreter does by name: well, endless, greedy or ending its process."""

from __future__ import annotations

import faulthandler
import os
import signal
import time
from collections.abc import Collection

from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.project.workers.limited_work import Work, set_status


def work_of(payload: bytes) -> Work[FileOutcome]:
    """Return the work of a name."""
    return {"well": _well, "endless": _endless, "greedy": _greedy, "ending": _ending}[
        payload.decode()
    ]


def _well(path: str, without: Collection[str]) -> FileOutcome:
    print("what a rule prints is no result")
    return FileOutcome(path, used=[int(path[:2])])


def _endless(path: str, without: Collection[str]) -> FileOutcome:
    set_status("endless")
    while path == "03.py" and "endless" not in without:
        time.sleep(0.1)
    return _well(path, without)


def _greedy(path: str, without: Collection[str]) -> FileOutcome:
    set_status("greedy")
    if "greedy" not in without:
        hoard = bytearray(400 * 2**20)
        hoard[:: 2**12] = b"x" * len(hoard[:: 2**12])
        time.sleep(60)
    return _well(path, without)


def _ending(path: str, without: Collection[str]) -> FileOutcome:
    if path == "03.py":
        faulthandler.disable()  # this death is meant, and needs no report
        os.kill(os.getpid(), signal.SIGSEGV)
    if path == "05.py":
        os._exit(7)
    return _well(path, without)
