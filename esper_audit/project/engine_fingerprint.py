"""Digests of contents and of this package, and where caches are located; imported by every command."""

from __future__ import annotations

import hashlib
import os
import sys

from esper_audit.project.submodules import PACKAGE

TYPE_CHECKING = False  # `typing` and `collections` cost more time than all that is done here
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOME_VARIABLE = "ESPER_AUDIT_CACHE"
OWN_FILES = (".py", ".yaml", ".md", ".jinja")  # code, contracts and templates
DIGEST_BYTES = 16
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
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def package_fingerprint() -> bytes:
    """Return the fingerprint of the files of this package."""
    if PACKAGE not in _fingerprints:
        _fingerprints[PACKAGE] = folder_fingerprint(PACKAGE)
    return _fingerprints[PACKAGE]


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
