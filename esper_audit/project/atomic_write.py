"""Writing files atomically: a killed process leaves the old content or the new one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

DEFAULT_MODE = 0o644


def replace_file(path: str, data: bytes) -> None:
    """Replace the content of a file by a temporary file beside it, fsync and rename.

    A symbolic link is followed to its target, and the mode of an existing file is kept. Raises
    OSError if the directory is not writable.
    """
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    mode = os.stat(target).st_mode & 0o7777 if os.path.exists(target) else DEFAULT_MODE
    descriptor, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(directory)


def write_if_changed(path: str, text: str) -> bool:
    """Write a text unless the file has it already, and return whether it was written."""
    data = text.encode()
    if os.path.isfile(path):
        with open(path, "rb") as file:
            if file.read() == data:
                return False
    os.makedirs(os.path.dirname(path), exist_ok=True)
    replace_file(path, data)
    return True


@contextlib.contextmanager
def directory_lock(directory: str) -> Iterator[None]:
    """Hold the lock of a directory, for which other processes wait.

    It has no effect on systems without flock.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    os.makedirs(directory, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_directory(directory: str) -> None:
    """Make a rename durable, on systems where directories can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
