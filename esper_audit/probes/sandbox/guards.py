"""What a guarded job may not do: reach the network, or write outside its scratch folder.

A network namespace keeps out native code, too, where the system allows one. The guards of Python are audit
hooks, which native code does not pass.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from typing import Any

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
LOOPBACK = ("localhost", "127.", "::1", "0.0.0.0")  # noqa: S104 - an address to compare with
NETWORK_EVENTS = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
)
WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
DEVICES = ("/dev/", "/proc/self/")


class NetworkForbidden(OSError):
    """The job wants the network."""


class WriteForbidden(PermissionError):
    """The job wants to write outside its scratch folder."""


def leave_network() -> bool:
    """Move this process to a network namespace of its own, and return whether the system allows it."""
    if sys.platform != "linux":
        return False
    system = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if system.unshare(CLONE_NEWNET) == 0:
        return True
    if system.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return False
    with contextlib.suppress(OSError):
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    return True


def guard_process(scratch: str) -> None:
    """Forbid this process, for good, the network beyond loopback and writes outside a folder."""
    leave_network()
    sys.dont_write_bytecode = True
    folder = os.path.realpath(scratch) + os.sep

    def forbid(event: str, arguments: tuple[Any, ...]) -> None:
        if event in NETWORK_EVENTS:
            _forbid_address(event, arguments)
        elif event == "open":
            _forbid_write(arguments, folder)

    sys.addaudithook(forbid)


def _forbid_address(event: str, arguments: tuple[Any, ...]) -> None:
    address = arguments[-1] if event in ("socket.connect", "socket.sendto") else arguments[0]
    host = address[0] if isinstance(address, tuple) and address else address
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if isinstance(address, (str, bytes)) and event == "socket.connect":
        return  # a socket of this machine, by its path
    if host is not None and not str(host).startswith(LOOPBACK):
        raise NetworkForbidden(f"{host}: the network is not allowed in a probe")


def _forbid_write(arguments: tuple[Any, ...], folder: str) -> None:
    path, mode, flags = arguments
    writes = any(c in str(mode or "") for c in "wax+") or (mode is None and flags & WRITING_FLAGS)
    if not writes or isinstance(path, int):
        return
    place = os.path.realpath(os.fsdecode(path))
    if not place.startswith((folder, *DEVICES)):
        raise WriteForbidden(
            f"{place}: writes outside the scratch folder are not allowed in a probe"
        )
