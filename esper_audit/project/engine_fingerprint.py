"""Digests of contents and of this package, and where caches are located.

Imported by every command.
"""

from __future__ import annotations

import os
import sys
from _imp import source_hash

from esper_audit.project.submodules import PACKAGE

try:
    # `hashlib` loads OpenSSL, which takes as long as a third of Python's start.
    from _blake2 import blake2b
except ImportError:  # a Python that was built without it
    from hashlib import blake2b

TYPE_CHECKING = False  # `typing` and `collections` cost more time than all that is done here
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOME_VARIABLE = "ESPER_AUDIT_CACHE"
OWN_FILES = (b".py", b".yaml", b".md", b".jinja")  # code, contracts and templates
DIGEST_BYTES = 16
DIGEST_KEY = 0
_fingerprints: dict[str, bytes] = {}  # of this process: the package does not change under it


def cache_home() -> str:
    """Return the directory of the caches: $ESPER_AUDIT_CACHE, else `esper-audit` in the user's cache."""
    own = os.environ.get(HOME_VARIABLE)
    if own:
        return own
    parent = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(parent, "esper-audit")


def content_digest(content: bytes) -> bytes:
    """Return the digest of a file's content, 16 bytes."""
    return blake2b(content, digest_size=DIGEST_BYTES).digest()


def quick_digest(content: bytes) -> str:
    """Return the digest by which Python itself knows that a source file is unchanged, 16 hexadecimal digits.

    It is five times as quick as `content_digest`, and no protection against a file made to have the same.
    """
    return source_hash(DIGEST_KEY, content).hex()


def package_fingerprint() -> bytes:
    """Return the fingerprint of the files of this package."""
    if PACKAGE not in _fingerprints:
        _fingerprints[PACKAGE] = folder_fingerprint(PACKAGE)
    return _fingerprints[PACKAGE]


def folder_fingerprint(folder: str) -> bytes:
    """Return a digest of the code, contracts and templates below a folder.

    Each file counts by its path, size and modification time.
    """
    return _digest(sorted(_own_files(os.fsencode(folder))))


def engine_fingerprint(more: Iterable[bytes] = ()) -> bytes:
    """Return a digest of everything that decides a finding: this package, the folders of plugins, and `more`."""
    folders = sorted(path for path in sys.path if path and os.path.isdir(path))
    return _digest(
        [
            *(_stamp(os.fsencode(path), os.stat(path)) for path in folders),
            package_fingerprint(),
            *more,
        ]
    )


def _own_files(folder: bytes) -> Iterator[bytes]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(OWN_FILES):
                yield _stamp(entry.path, entry.stat())
            elif entry.name != b"__pycache__" and entry.is_dir():
                yield from _own_files(entry.path)


def _stamp(path: bytes, status: os.stat_result) -> bytes:
    return b"%b\0%d\0%d" % (path, status.st_size, status.st_mtime_ns)


def _digest(pieces: Iterable[bytes]) -> bytes:
    return blake2b(b"\0".join([sys.version.encode(), *pieces]), digest_size=32).digest()
