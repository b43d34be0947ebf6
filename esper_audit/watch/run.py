"""The run of one process: its step, what its monitors found, and how often they looked."""

from __future__ import annotations

import os
from collections import Counter

import msgspec

from esper_audit.watch.collectives import StatusFile
from esper_audit.watch.records import Looked, Measured, Record, Seen, UserLine, Value
from esper_audit.watch.user_frame import user_place

NO_RANK = -1
MOST_PLACES = 50  # of each monitor that are kept


class Run:
    """Counts optimizer steps, and writes each finding at once, so that a killed run keeps it."""

    def __init__(self, folder: str, root: str) -> None:
        self.root = root
        self.step = 0
        self.has_closure = False  # the step under way computes the loss itself
        self.grad_enabled = True  # where the event came from: monitors run without gradients
        self.rank = int(os.environ.get("RANK", NO_RANK))
        self.status = None if self.rank == NO_RANK else StatusFile(folder, self.rank)
        self._folder = folder
        self._known: set[tuple[str, str, UserLine]] = set()
        self._looked: Counter[str] = Counter()
        self._places: dict[str, dict[UserLine, None]] = {}

    def place(self) -> UserLine:
        """Return the line of the user's code that is running."""
        return user_place(self.root)

    def look(self, check: str, place: UserLine) -> None:
        """Note that a monitor had something to look at."""
        self._looked[check] += 1
        places = self._places.setdefault(check, {})
        if len(places) < MOST_PLACES:
            places[place] = None

    def report(
        self, check: str, code: str, place: UserLine, message: str, **evidence: Value
    ) -> None:
        """Write a finding, the first of its kind at its place."""
        key = (check, code, place)
        if key not in self._known:
            self._known.add(key)
            seen = Seen(check, code, place, self.step, message, dict(evidence), self.rank)
            self.write(seen)

    @property
    def is_ranked(self) -> bool:
        """Return whether this process is one of several ranks."""
        return self.rank != NO_RANK

    def compare(self, measured: Measured) -> None:
        """Write a value that is compared with that of other ranks, if there are any."""
        if self.is_ranked:
            self.write(msgspec.structs.replace(measured, rank=self.rank))

    def write_looks(self, reasons: dict[str, str]) -> None:
        """Write how often each monitor looked. `reasons` has why one had nothing to look at."""
        for check, reason in reasons.items():
            times = self._looked[check]
            places = [*self._places.get(check, ())]
            self.write(Looked(check, times, "" if times else reason, places))

    def write(self, record: Record) -> None:
        """Append a record to the file of this process, which may be a forked worker."""
        with open(os.path.join(self._folder, f"{os.getpid()}.jsonl"), "ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")
