"""A cache of results by the content they depend on, one file for each root and purpose."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Any, Generic, TypeVar

from esper_audit.project.submodules import PACKAGE

HOME_VARIABLE = "ESPER_AUDIT_CACHE"
OWN_FILES = (".py", ".yaml", ".md", ".jinja")  # code, contracts and templates
DIGEST_BYTES = 16
Value = TypeVar("Value")


def cache_home() -> str:
    """Return the directory of the caches: $ESPER_AUDIT_CACHE, else `esper-audit` in the user's cache."""
    own = os.environ.get(HOME_VARIABLE)
    if own:
        return own
    parent = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(parent, "esper-audit")


def content_digest(content: bytes) -> bytes:
    """Return the digest of a file's content, 16 bytes."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


class ContentCache(Generic[Value]):
    """Values by name and content digest.

    `root` is the audited tree, `purpose` the suffix of the cache file, `made_by` the fingerprint of
    everything else that decides a value, and `kind` the type of a value, which msgspec encodes. A cache
    file that is damaged, or has another `made_by`, counts as absent.
    """

    def __init__(
        self, root: str, purpose: str, made_by: bytes, kind: type[Value], *, enabled: bool = True
    ) -> None:
        name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
        self._file = os.path.join(cache_home(), f"{name}.{purpose}") if enabled else ""
        self._made_by = made_by
        self._kind = kind
        self._known: dict[str, tuple[bytes, Any]] = self._load() if enabled else {}
        self._changed = False

    def get(self, name: str, digest: bytes) -> Value | None:
        """Return the value of a name with this digest, None if there is none."""
        import msgspec

        known_digest, encoded = self._known.get(name, (b"", None))
        if encoded is None or known_digest != digest:
            return None
        try:
            return msgspec.msgpack.decode(encoded, type=self._kind)
        except msgspec.MsgspecError:  # damaged inside
            return None

    def put(self, name: str, digest: bytes, value: Value) -> None:
        """Set the value of a name, which `save` writes."""
        import msgspec

        self._known[name] = (digest, msgspec.Raw(msgspec.msgpack.encode(value)))
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

    def _load(self) -> dict[str, tuple[bytes, Any]]:
        import msgspec

        stored = tuple[bytes, dict[str, tuple[bytes, msgspec.Raw]]]
        try:
            with open(self._file, "rb") as file:
                made_by, known = msgspec.msgpack.decode(file.read(), type=stored)
        except (OSError, msgspec.MsgspecError):
            return {}
        return known if made_by == self._made_by else {}


@cache
def package_fingerprint() -> bytes:
    """Return the fingerprint of the files of this package."""
    return folder_fingerprint(PACKAGE)


def folder_fingerprint(folder: str) -> bytes:
    """Return a digest of the code, contracts and templates below a folder.

    Each file counts by its path, size and modification time.
    """
    return _fingerprint(sorted(_own_files(folder)), ())


def engine_fingerprint(more: Iterable[bytes] = ()) -> bytes:
    """Return a digest of everything that decides a finding: this package, the folders of plugins, and `more`."""
    folders = [path for path in sys.path if path and os.path.isdir(path)]
    return _fingerprint(sorted(folders), (package_fingerprint(), *more))


def _own_files(top: str) -> Iterator[str]:
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (os.path.join(folder, name) for name in names if name.endswith(OWN_FILES))


def _fingerprint(paths: Iterable[str], more: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256(sys.version.encode())
    for path in paths:
        status = os.stat(path)
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    for piece in more:
        digest.update(piece + b"\0")
    return digest.digest()
