"""Messages between the processes of the sandbox: msgpack after an eight-byte length."""

from __future__ import annotations

import os
import socket
from typing import TypeVar

import msgspec

from esper_audit.probes.sandbox.outcome import JOURNAL, Ending, NotSerialisable, Stage

LENGTH_BYTES = 8
READ_BYTES = 1 << 16
MAX_VERDICT_BYTES = 64 << 20
Message = TypeVar("Message", bound=msgspec.Struct)


def encode_message(message: object) -> bytes:
    """Return a message as bytes, its length first.

    Raise TypeError for a value that msgpack cannot encode.
    """
    data = msgspec.msgpack.encode(message)
    return len(data).to_bytes(LENGTH_BYTES) + data


def decode_messages(data: bytes, kind: type[Message]) -> list[Message]:
    """Return the complete messages at the start of some data."""
    found: list[Message] = []
    while len(data) >= LENGTH_BYTES:
        end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES])
        if len(data) < end:
            break
        found.append(msgspec.msgpack.decode(data[LENGTH_BYTES:end], type=kind, strict=False))
        data = data[end:]
    return found


def read_journal(scratch: str) -> bytes:
    """Return what a job has written to its journal."""
    path = os.path.join(scratch, JOURNAL)
    if not os.path.isfile(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def write_all(descriptor: int, data: bytes) -> None:
    """Write all data to a pipe, in several writes if necessary."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def send(connection: socket.socket, message: msgspec.Struct) -> None:
    """Send a message over a socket."""
    connection.sendall(encode_message(message))


def receive(connection: socket.socket, kind: type[Message]) -> Message | None:
    """Wait for a message of this kind.

    Return None if the other side closed the connection.
    """
    head = _receive_exactly(connection, LENGTH_BYTES)
    if head is None:
        return None
    data = _receive_exactly(connection, int.from_bytes(head))
    return None if data is None else msgspec.msgpack.decode(data, type=kind)


def _receive_exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(min(size - len(data), READ_BYTES))
        if not piece:
            return None
        data += piece
    return bytes(data)


class VerdictReader:
    """Decodes the messages of a job on its verdict pipe: the stages that it reaches, then its ending."""

    def __init__(self) -> None:
        self.stage: Stage = "starting"
        self.ending: Ending | None = None
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        """Decode the data that arrived.

        Anything after the verdict is ignored.
        """
        self._data += data
        while self.ending is None and len(self._data) >= LENGTH_BYTES:
            size = int.from_bytes(self._data[:LENGTH_BYTES])
            if size > MAX_VERDICT_BYTES:
                self.ending = _invalid_verdict()
            if len(self._data) < LENGTH_BYTES + size:
                return
            self._accept(bytes(self._data[LENGTH_BYTES : LENGTH_BYTES + size]))
            del self._data[: LENGTH_BYTES + size]

    def _accept(self, data: bytes) -> None:
        try:
            message: Stage | Ending = msgspec.msgpack.decode(data, type=Stage | Ending)
        except msgspec.DecodeError:
            self.ending = _invalid_verdict()
            return
        if isinstance(message, str):
            self.stage = message
        else:
            self.ending = message


def _invalid_verdict() -> Ending:
    return NotSerialisable("the verdict pipe received something other than a verdict")


class Tail:
    """The last bytes of an output of any length."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._dropped = False

    def feed(self, data: bytes) -> None:
        """Append the next piece."""
        self._data += data
        excess = len(self._data) - self._limit
        if excess > 0:
            del self._data[:excess]
            self._dropped = True

    def text(self) -> str:
        """Return the text, after `[...]` if its beginning was dropped."""
        mark = "[...]" if self._dropped else ""
        return mark + self._data.decode(errors="replace")
