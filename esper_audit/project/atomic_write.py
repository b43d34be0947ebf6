"""Writing files atomically: a killed process leaves the old content or the new one."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from functools import cache

from esper_audit.findings.errors import ChangedMeanwhileError, WriteError, reason_of

DEFAULT_MODE = 0o644
TEMPORARY = re.compile(r"\.esper-audit-[0-9a-f]{16}\.tmp")  # of a process that lives or was killed
WRITE_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
PRIVATE_MODE = 0o600


def replace_file(path: str, data: bytes, *, expected: bytes | None = None) -> None:
    """Replace the content of a file by a temporary file beside it, fsync and rename.

    A symbolic link is followed to its target, and the mode of an existing file is kept. `expected` is
    the content that the file must still have directly before the rename. Raises ChangedMeanwhileError
    if it has another one, and OSError if the directory is not writable or the disk is full.
    """
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    _remove_leftovers_once(directory)
    mode = os.stat(target).st_mode & 0o7777 if os.path.exists(target) else DEFAULT_MODE
    with _temporary_file(directory) as temporary:
        temporary.write(data, mode)
        if expected is not None:
            _require_content(target, expected)
        os.replace(temporary.name, target)
    _sync_directory(directory)


def write_file(path: str, data: bytes, *, expected: bytes | None = None) -> None:
    """Replace the content of a file as `replace_file` does, and make its directory.

    Raises WriteError with the path and the reason of the system.
    """
    make_directory(os.path.dirname(path))
    with reported_as_write_error(path):
        replace_file(path, data, expected=expected)


def write_if_changed(path: str, text: str) -> bool:
    """Write a text unless the file has it already, and return whether it was written.

    Raises WriteError.
    """
    data = text.encode("utf-8", "backslashreplace")
    with reported_as_write_error(path):
        if os.path.isfile(path) and _content(path) == data:
            return False
    write_file(path, data)
    return True


def make_directory(path: str) -> None:
    """Make a directory and those above it.

    Raises WriteError if one cannot be made, or if a file has its name.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except FileExistsError as error:
        raise WriteError(f"{path}: is not a directory") from error
    except (OSError, ValueError) as error:
        raise WriteError(f"{path}: cannot be created: {reason_of(error)}") from error


def remove_file(path: str) -> None:
    """Remove a file.

    Raises WriteError.
    """
    try:
        os.unlink(path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be removed: {reason_of(error)}") from error


@contextlib.contextmanager
def reported_as_write_error(path: str) -> Iterator[None]:
    """Raise an OSError of the block as a WriteError for a path."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {reason_of(error)}") from error


@contextlib.contextmanager
def directory_lock(directory: str) -> Iterator[None]:
    """Hold the lock of a directory, for which other processes wait.

    It has no effect on systems without flock. Raises WriteError if the directory cannot be made or
    opened.
    """
    make_directory(directory)
    try:
        import fcntl
    except ImportError:
        yield
        return
    with reported_as_write_error(directory):
        descriptor = os.open(directory, os.O_RDONLY)
    try:
        with reported_as_write_error(directory):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class _TemporaryFile:
    """A file that has no name until its content is complete, where the system can do that."""

    def __init__(self, directory: str) -> None:
        self.name = os.path.join(directory, f".esper-audit-{os.urandom(8).hex()}.tmp")
        self.descriptor = -1
        self._directory = directory

    def write(self, data: bytes, mode: int) -> None:
        """Write the content durably under the name, with a lock that ends with this process."""
        try:
            self.descriptor = os.open(self._directory, os.O_TMPFILE | os.O_RDWR, PRIVATE_MODE)
        except (OSError, AttributeError):  # no Linux, or a file system without such files
            return self._write_named(data, mode)
        _lock(self.descriptor)
        self._write(data, mode)
        path = f"/proc/self/fd/{self.descriptor}"
        try:
            # With a descriptor, `os.link` follows the link of /proc to the file.
            os.link(path, self.name, src_dir_fd=self.descriptor, follow_symlinks=True)
        except OSError:  # no /proc
            self.close()
            self._write_named(data, mode)

    def close(self) -> None:
        """Close the file, which ends its lock."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _write_named(self, data: bytes, mode: int) -> None:
        while True:
            self.descriptor = os.open(self.name, WRITE_NEW, PRIVATE_MODE)
            _lock(self.descriptor)
            if os.fstat(self.descriptor).st_nlink:
                return self._write(data, mode)
            self.close()  # another process took it for a leftover before it was locked

    def _write(self, data: bytes, mode: int) -> None:
        with open(self.descriptor, "wb", closefd=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(self.descriptor, mode)


@contextlib.contextmanager
def _temporary_file(directory: str) -> Iterator[_TemporaryFile]:
    temporary = _TemporaryFile(directory)
    try:
        yield temporary
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary.name)
        raise
    finally:
        temporary.close()


def _lock(descriptor: int) -> bool:
    """Lock a temporary file until its process ends.

    Return whether no other process holds the lock.
    """
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_leftovers(directory: str) -> None:
    """Remove the temporary files of killed processes from a directory."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if TEMPORARY.fullmatch(entry.name):
                _remove_leftover(entry.path)


@cache
def _remove_leftovers_once(directory: str) -> None:
    remove_leftovers(directory)


def _remove_leftover(path: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            if _lock(descriptor):
                os.unlink(path)
        finally:
            os.close(descriptor)


def _require_content(path: str, expected: bytes) -> None:
    if not os.path.exists(path) or _content(path) != expected:
        raise ChangedMeanwhileError(f"{path}: another process changed the file meanwhile")


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _sync_directory(directory: str) -> None:
    """Make a rename durable, on systems where directories can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
