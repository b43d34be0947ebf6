"""What the processes of a command recorded: a line for each, in a file for each process."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import cache

import msgspec

from esper_audit.probes.recording.recorder import Recorder
from esper_audit.probes.recording.signature import Recorded
from esper_audit.project.installed_files import is_installed

FOLDER = "ESPER_AUDIT_RECORD_FOLDER"
ROOT = "ESPER_AUDIT_RECORD_ROOT"
PACKAGES = "ESPER_AUDIT_RECORD_PACKAGES"


class Journal:
    """The file of this process.

    Each line is written at once, so a killed process loses none.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._descriptor = -1
        self._process = 0

    def write(self, one: Recorded) -> None:
        """Append a line, to a new file in a forked child."""
        if self._process != os.getpid():
            self._process = os.getpid()
            path = os.path.join(self._folder, f"{self._process}.jsonl")
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with contextlib.suppress(OSError):  # the command goes on though the disk is full
            os.write(self._descriptor, msgspec.json.encode(one) + b"\n")


def start_recording() -> None:
    """Record in this process what the environment of the command asks for."""
    root = os.path.realpath(os.environ[ROOT]) + os.sep
    packages = frozenset(filter(None, os.environ[PACKAGES].split(",")))
    journal = Journal(os.environ[FOLDER])
    Recorder(lambda kind: _is_of(kind, root, packages), journal.write).install()


def _is_of(kind: type, root: str, packages: frozenset[str]) -> bool:
    """Return whether a class belongs to one of the packages or, without any, to a file below the root."""
    name = kind.__module__
    if packages:
        return any(name == package or name.startswith(f"{package}.") for package in packages)
    return _file_of(name).startswith(root)


@cache
def _file_of(name: str) -> str:
    module = sys.modules.get(name)
    file = None if module is None else module.__file__ if "__file__" in vars(module) else None
    return "" if not file or is_installed(file) else os.path.realpath(file)


def read_journals(folder: str) -> Iterator[Recorded]:
    """Yield what all processes wrote, without a last line that is not whole."""
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            lines = file.read().split(b"\n")[:-1]
        yield from (msgspec.json.decode(line, type=Recorded) for line in lines)
