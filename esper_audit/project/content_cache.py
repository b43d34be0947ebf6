"""A cache of results by the content they depend on, one file for each root and purpose."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any, Generic, TypeVar

from esper_audit.project.engine_fingerprint import cache_home, content_digest

Value = TypeVar("Value")


class ContentCache(Generic[Value]):
    """Values by name and content digest.

    `root` is the audited tree, `purpose` the suffix of the cache file, `made_by` the fingerprint of
    everything else that decides a value, and `kind` the type of a value, which msgspec encodes. A cache
    file that is damaged, or has another `made_by`, counts as absent. With `encodes_late` a new value is
    encoded by `save` only, for values that live as long as the cache.
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
        self._made_by = made_by
        self._kind = kind
        self._encodes_late = encodes_late
        self._known: dict[str, tuple[bytes, Any]] = self._load() if enabled else {}
        self._changed = False

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
        self._known[name] = (digest, kept)
        self._changed = True

    def save(self, keep: Collection[str] | None = None) -> None:
        """Write the cache file if a value changed.

        With `keep` all other names are dropped. A cache that cannot be written is not an error.
        """
        if keep is not None and not self._known.keys() <= set(keep):
            self._known = {name: self._known[name] for name in self._known if name in keep}
            self._changed = True
        if not (self._file and self._changed):
            return
        import msgspec

        from esper_audit.project.atomic_write import replace_file

        try:
            os.makedirs(os.path.dirname(self._file), mode=0o700, exist_ok=True)
            replace_file(self._file, msgspec.msgpack.encode((self._made_by, self._known)))
        except OSError:
            return
        self._changed = False

    def release(self) -> None:
        """Drop all values from memory. The cache file keeps them and is not written again."""
        self._known, self._file = {}, ""

    def _load(self) -> dict[str, tuple[bytes, Any]]:
        import msgspec

        stored = tuple[bytes, dict[str, tuple[bytes, msgspec.Raw]]]
        try:
            with open(self._file, "rb") as file:
                made_by, known = msgspec.msgpack.decode(file.read(), type=stored)
        except (OSError, msgspec.MsgspecError):
            return {}
        return known if made_by == self._made_by else {}
