"""Tickets that were read before, by content: what has not changed needs no YAML parser."""

from __future__ import annotations

import hashlib
import os

import msgspec

from esper_audit.cache import fingerprint_of
from esper_audit.cache_home import cache_home
from esper_audit.ticket import Ticket
from esper_audit.writing import replace_file

READERS = ("ticket", "yaml_")  # the beginnings of the files that decide what a text means


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A ticket and the digest of the file it was read from."""

    digest: bytes
    ticket: Ticket


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """The file on disk; `reader` is the fingerprint of the code that read the tickets."""

    reader: bytes
    entries: dict[str, Entry]


class TicketIndex:
    """What is known of a folder of tickets; anything unreadable or of another version counts as absent."""

    def __init__(self, directory: str) -> None:
        name = hashlib.sha256(os.fsencode(os.path.realpath(directory))).hexdigest()[:16]
        self._file = os.path.join(cache_home(), f"{name}.tickets")
        self._reader = _reader()
        self._known = self._load()
        self._seen: dict[str, Entry] = {}
        self._changed = False

    def get(self, name: str, data: bytes) -> Ticket | None:
        """Return the ticket of a file with exactly this content."""
        entry = self._known.get(name)
        if entry is None or entry.digest != _digest(data):
            return None
        self._seen[name] = entry
        return entry.ticket

    def put(self, name: str, data: bytes, ticket: Ticket) -> None:
        """Remember what a file was read as."""
        self._seen[name] = Entry(_digest(data), ticket)
        self._changed = True

    def save(self) -> None:
        """Write what was asked for since; an index that cannot be written is only slower next time."""
        if not self._changed and self._seen.keys() == self._known.keys():
            return
        try:
            os.makedirs(os.path.dirname(self._file), mode=0o700, exist_ok=True)
            replace_file(self._file, msgspec.msgpack.encode(Stored(self._reader, self._seen)))
        except OSError:
            self._changed = False

    def _load(self) -> dict[str, Entry]:
        try:
            with open(self._file, "rb") as file:
                stored = msgspec.msgpack.decode(file.read(), type=Stored)
        except (OSError, msgspec.MsgspecError):
            return {}
        return stored.entries if stored.reader == self._reader else {}


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _reader() -> bytes:
    package = os.path.dirname(os.path.abspath(__file__))
    names = sorted(name for name in os.listdir(package) if name.startswith(READERS))
    files = [os.path.join(package, name) for name in names if name.endswith(".py")]
    return fingerprint_of(files, [])
