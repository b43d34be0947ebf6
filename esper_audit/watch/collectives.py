"""Collective calls of the ranks of a run: which one each is in, and when one cannot end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from esper_audit.watch.records import Seen, UserLine

COLLECTIVES = (
    "all_gather", "all_gather_into_tensor", "all_gather_object", "all_reduce", "all_to_all",
    "all_to_all_single", "barrier", "broadcast", "broadcast_object_list", "gather", "gather_object",
    "reduce", "reduce_scatter", "reduce_scatter_tensor", "scatter", "scatter_object_list",
)  # fmt: skip
SUFFIX = ".collective"
PATIENCE = 10.0  # seconds in a collective that another rank can no longer join
CHECK = "ranks-agree"


class RankStatus(msgspec.Struct, frozen=True):
    """Where a rank is: in its n-th collective call since a time, or between two, or at its end."""

    rank: int
    number: int
    name: str
    place: UserLine
    since: float
    has_ended: bool = False


class StatusFile:
    """The status of this rank, in a file that the watching process reads."""

    def __init__(self, folder: str, rank: int) -> None:
        self.rank = rank
        self.number = 0
        self._path = os.path.join(folder, f"{rank}{SUFFIX}")
        self._last = UserLine("", 0, "")
        self._failed = ""

    def begin(self, name: str, place: UserLine) -> Callable[[], None]:
        """Write that a call begins, and return what writes that it is over."""
        self.number += 1
        self._last = place
        self._write(name)
        return lambda: self._leave(name)

    def _leave(self, name: str) -> None:
        """Write that a call is over, or keep that it was if it raised."""
        self._failed = name if sys.exc_info()[0] is not None else ""
        self._write(self._failed)

    def end(self) -> None:
        """Write that the rank makes no further call."""
        self._write(self._failed, has_ended=not self._failed)

    def _write(self, name: str, *, has_ended: bool = False) -> None:
        status = RankStatus(self.rank, self.number, name, self._last, time.time(), has_ended)
        with open(f"{self._path}.new", "wb") as file:
            file.write(msgspec.json.encode(status))
        os.replace(f"{self._path}.new", self._path)


def find_stuck(folder: Path, now: float) -> Seen | None:
    """Return the call of a rank that can no longer end, or that raised for that reason, or None.

    Another rank has ended before it, or is itself in another call of the same number.
    """
    decoder = msgspec.json.Decoder(RankStatus)
    ranks = [decoder.decode(file.read_bytes()) for file in sorted(folder.glob(f"*{SUFFIX}"))]
    for waiting in ranks:
        if not waiting.name or now - waiting.since < PATIENCE:
            continue
        for other in ranks:
            if other.has_ended and other.number < waiting.number:
                return _stuck(waiting, f"rank {other.rank} has ended without it")
            is_elsewhere = other.name not in ("", waiting.name) and other.number == waiting.number
            if is_elsewhere and now - other.since >= PATIENCE:
                return _stuck(waiting, f"rank {other.rank} is in {other.name} instead")
    return None


def _stuck(waiting: RankStatus, why: str) -> Seen:
    message = (
        f"rank {waiting.rank} waits in {waiting.name}, its collective call {waiting.number}, and {why}. "
        "Every rank has to reach every collective: take it out of the condition"
    )
    return Seen(CHECK, "stuck", waiting.place, 0, message, {}, waiting.rank)
