"""Jobs that try what a guarded job may not do."""

from __future__ import annotations

import mmap
import os
import socket
import urllib.request
from pathlib import Path

RESERVED = mmap.mmap(-1, 4 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def allocate(mebibytes: int) -> int:
    """Write to memory of this size."""
    return len(bytearray(mebibytes << 20))


def connect(host: str) -> str:
    with socket.create_connection((host, 9), timeout=2):
        return "connected"


def download() -> str:
    with urllib.request.urlopen("http://example.org", timeout=2) as page:
        return str(page.status)


def write_to(path: str) -> str:
    Path(path).write_text("x")
    return "written"


def write_to_scratch() -> str:
    return write_to(os.path.join(os.environ["TMPDIR"], "a.txt"))


def read_and_write_device() -> str:
    return Path(__file__).read_text()[:3] + write_to("/dev/null")
