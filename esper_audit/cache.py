"""What was found in a file the last time, kept by content: one flat file a project, replaced whole or not at all."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable

import msgspec

from esper_audit.cache_home import cache_home
from esper_audit.finding import Finding, NotAnalysed, Suppressed

SHELVES = ("rules", "tree_rules", "outputs")


class FileOutcome(msgspec.Struct, frozen=True, array_like=True):
    """What an audit says of one file; `used` are the configured exceptions that silenced something.

    `lost` means that the process died over it: a thing of the moment, not to be remembered.
    """

    path: str
    findings: list[Finding] = []
    suppressed: list[Suppressed] = []
    not_analysed: list[NotAnalysed] = []
    used: list[int] = []
    lost: bool = False


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An outcome with the digest of everything it was made from."""

    digest: bytes
    outcome: FileOutcome


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """The file on disk: the fingerprint of engine, rules and configuration, and an entry a file."""

    engine: bytes
    entries: dict[str, Entry]


class Cache:
    """Outcomes by path and content; anything unreadable or made by another engine counts as absent."""

    def __init__(self, root: str, engine: bytes, *, enabled: bool = True) -> None:
        name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self._file = os.path.join(cache_home(), f"{name}.files") if enabled else ""
        self._engine = engine
        self._known = self._load() if enabled else {}
        self._changed = False

    def get(self, path: str, digest: bytes) -> FileOutcome | None:
        """Return what is known of a file with exactly this content."""
        entry = self._known.get(path)
        return entry.outcome if entry is not None and entry.digest == digest else None

    def put(self, path: str, digest: bytes, outcome: FileOutcome) -> None:
        """Remember what was found."""
        self._known[path] = Entry(digest, outcome)
        self._changed = True

    def save(self) -> None:
        """Write what is new; a cache that cannot be written is no error, only slower next time."""
        if not (self._file and self._changed):
            return
        from esper_audit.writing import replace_file

        try:
            os.makedirs(os.path.dirname(self._file), mode=0o700, exist_ok=True)
            replace_file(self._file, msgspec.msgpack.encode(Stored(self._engine, self._known)))
        except OSError:
            self._changed = False

    def _load(self) -> dict[str, Entry]:
        try:
            with open(self._file, "rb") as file:
                stored = msgspec.msgpack.decode(file.read(), type=Stored)
        except (OSError, msgspec.MsgspecError):
            return {}
        return stored.entries if stored.engine == self._engine else {}


def engine_files() -> list[str]:
    """Return the files that decide what the engine finds: its own, and the directories of plugins."""
    package = os.path.dirname(os.path.abspath(__file__))
    found = [
        os.path.join(directory, name)
        for directory in (package, *(os.path.join(package, shelf) for shelf in SHELVES))
        for name in os.listdir(directory)
        if name.endswith((".py", ".yaml"))
    ]
    return sorted([*found, *(p for p in sys.path if p and os.path.isdir(p))])


def fingerprint_of(files: Iterable[str], more: Iterable[bytes]) -> bytes:
    """Return a digest of files by name, size and time of change, and of further bytes."""
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        status = os.stat(file)
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    for piece in more:
        digest.update(piece + b"\0")
    return digest.digest()
