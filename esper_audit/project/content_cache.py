"""A cache of results by the content they depend on, one file for each root and purpose."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection
from typing import Any, Generic, TypeVar

from esper_audit.project.engine_fingerprint import cache_home, content_digest

PART = re.compile(r"\d{20}-\d+")  # the time in nanoseconds at which a process began it
PART_BYTES = (
    64 << 10
)  # a part that is as large is not written again, so that its size bounds the cost of a write
MOST_PARTS = 32  # after which the cache file takes them up
Value = TypeVar("Value")


class ContentCache(Generic[Value]):
    """Values by name and content digest.

    `root` is the audited tree, `purpose` the suffix of the cache file, `made_by` the fingerprint of
    everything else that decides a value, and `kind` the type of a value, which msgspec encodes. A cache
    file that is damaged, or has another `made_by`, counts as absent. With `encodes_late` a new value is
    encoded by `save` only, for values that live as long as the cache.

    Beside the cache file a folder holds the parts that `save_new` wrote and no `save` has taken up: those of
    runs that were killed, or run now.
    """

    def __init__(
        self,
        root: str,
        purpose: str,
        made_by: bytes,
        kind: type[Value],
        *,
        enabled: bool = True,
        encodes_late: bool = False,
    ) -> None:
        name = content_digest(os.fsencode(root)).hex()[:16]
        self._file = os.path.join(cache_home(), f"{name}.{purpose}") if enabled else ""
        self._parts = f"{self._file}.new"
        self._made_by = made_by
        self._kind = kind
        self._encodes_late = encodes_late
        self._part_names: list[str] = []  # those that are read or written
        self._new: dict[str, tuple[bytes, Any]] = {}  # in the last part, or in none yet
        self._new_part = ""
        self._has_unsaved = False
        self._known: dict[str, tuple[bytes, Any]] = self._load() if enabled else {}
        self._changed = bool(self._part_names)

    def get(self, name: str, digest: bytes) -> Value | None:
        """Return the value of a name with this digest, None if there is none."""
        import msgspec

        known_digest, encoded = self._known.get(name, (b"", None))
        if encoded is None or known_digest != digest:
            return None
        if not isinstance(encoded, msgspec.Raw):
            return encoded  # type: ignore[no-any-return]  # a value that `put` did not encode
        try:
            return msgspec.msgpack.decode(encoded, type=self._kind)
        except msgspec.MsgspecError:  # damaged inside
            return None

    def put(self, name: str, digest: bytes, value: Value) -> None:
        """Set the value of a name, which `save` writes."""
        import msgspec

        kept = value if self._encodes_late else msgspec.Raw(msgspec.msgpack.encode(value))
        self._known[name] = self._new[name] = (digest, kept)
        self._changed = self._has_unsaved = True

    def save(self, keep: Collection[str] | None = None) -> None:
        """Write the cache file if a value changed.

        With `keep` all other names are dropped. A cache that cannot be written is not an error.
        """
        if keep is not None and not self._known.keys() <= set(keep):
            self._known = {name: self._known[name] for name in self._known if name in keep}
            self._changed = True
        if not (self._file and self._changed):
            return
        if self._write(self._file, self._known):
            self._changed = self._has_unsaved = False
            self._remove_parts()

    def save_new(self) -> None:
        """Write the values that are in no file yet, at a cost that does not depend on the others.

        They are in the cache from now on, also if this process is killed.
        """
        if not (self._file and self._has_unsaved):
            return
        if len(self._part_names) >= MOST_PARTS:
            self.save()
            return
        if not self._new_part:
            self._new_part = f"{time.time_ns():020}-{os.getpid()}"
            self._part_names.append(self._new_part)
        size = self._write(os.path.join(self._parts, self._new_part), self._new)
        self._has_unsaved = not size
        if size >= PART_BYTES:
            self._new, self._new_part = {}, ""

    def _write(self, path: str, values: dict[str, tuple[bytes, Any]]) -> int:
        """Write values to a file and return its size, 0 if it cannot be written."""
        import msgspec

        from esper_audit.project.atomic_write import replace_file

        data = msgspec.msgpack.encode((self._made_by, values))
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            replace_file(path, data)
        except OSError:
            return 0
        return len(data)

    def _remove_parts(self) -> None:
        """Remove the parts whose values the cache file has, not those of other processes."""
        from esper_audit.project.atomic_write import remove_leftovers

        for name in self._part_names:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._parts, name))
        if self._part_names:
            remove_leftovers(self._parts)
            with contextlib.suppress(OSError):  # another process has parts in it
                os.rmdir(self._parts)
        self._part_names, self._new, self._new_part = [], {}, ""

    def release(self) -> None:
        """Drop all values from memory. The cache file keeps them and is not written again."""
        self._known, self._new, self._file = {}, {}, ""

    def _load(self) -> dict[str, tuple[bytes, Any]]:
        """Return the values of the cache file, and of the parts in the order of their start."""
        with contextlib.suppress(OSError):
            self._part_names = sorted(filter(PART.fullmatch, os.listdir(self._parts)))
        paths = [self._file, *(os.path.join(self._parts, name) for name in self._part_names)]
        return {name: value for path in paths for name, value in self._read(path).items()}

    def _read(self, path: str) -> dict[str, tuple[bytes, Any]]:
        import msgspec

        stored = tuple[bytes, dict[str, tuple[bytes, msgspec.Raw]]]
        try:
            with open(path, "rb") as file:
                made_by, known = msgspec.msgpack.decode(file.read(), type=stored)
        except (OSError, msgspec.MsgspecError):
            return {}
        return known if made_by == self._made_by else {}
