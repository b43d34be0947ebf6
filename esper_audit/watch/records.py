"""What the processes of a watched command write down: one record a line, in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec

REPORT_FOLDER = "ESPER_AUDIT_WATCH_REPORT"  # where the processes write
PROJECT_ROOT = "ESPER_AUDIT_WATCH_ROOT"  # whose code is the user's
STEPS = "ESPER_AUDIT_WATCH_STEPS"  # after so many optimizer steps the hooks come off, 0 keeps them
ONLY = "ESPER_AUDIT_WATCH_ONLY"  # ids of monitors with commas between, empty for all

Value: TypeAlias = str | int | float | bool


class UserLine(msgspec.Struct, frozen=True):
    """A line of code: an absolute path, or one below the project's root."""

    path: str
    line: int
    function: str


class Seen(msgspec.Struct, frozen=True, tag="seen", tag_field="kind"):
    """A broken contract: where, at which optimizer step (from 0), and what was measured there."""

    check: str
    code: str
    place: UserLine
    step: int
    message: str
    evidence: dict[str, Value] = {}
    rank: int = -1


class Measured(msgspec.Struct, frozen=True, tag="measured", tag_field="kind"):
    """A value of one rank that other ranks are compared with. Equal codes and keys belong together."""

    check: str
    code: str
    key: str
    value: str
    place: UserLine
    rank: int = -1


class Looked(msgspec.Struct, frozen=True, tag="looked", tag_field="kind"):
    """How often a monitor had something to look at and where, or why it had nothing."""

    check: str
    times: int
    reason: str = ""
    places: list[UserLine] = []


class Failed(msgspec.Struct, frozen=True, tag="failed", tag_field="kind"):
    """A monitor that raised. It received no more events in its process."""

    check: str
    error: str


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="kind"):
    """The end of a process that imported torch: what it built and how far it came."""

    steps: int
    optimizers: int
    rank: int = -1


Record: TypeAlias = Seen | Measured | Looked | Failed | Ended


def read_records(folder: Path) -> Iterator[Record]:
    """Yield what every process wrote. The last line of a killed process may be half of one."""
    decoder = msgspec.json.Decoder(Record)
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_bytes().split(b"\n")[:-1]:
            yield decoder.decode(line)
