"""The journal of one life: every event and every epoch's measurements, a line of JSON each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from esper_ref import telemetry
from esper_ref.lifecycle import SeedStage
from esper_ref.telemetry import Event

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class EpochMeasured:
    """What was measured after an epoch of training, before the gates were asked.

    `loss` is the mean training loss in nats, `score` the validation accuracy in percent, and a
    contribution is in percentage points of it; None where the host does not feel a seed.
    """

    loss: float
    score: float
    stages: dict[str, SeedStage]
    alphas: dict[str, float]
    contributions: dict[str, float | None]


Note = Event | EpochMeasured

KINDS: dict[str, Callable[..., Note]] = {
    kind.__name__: kind
    for kind in (
        EpochMeasured,
        telemetry.Germinated,
        telemetry.GateEvaluated,
        telemetry.StageChanged,
        telemetry.GateStatisticsRecorded,
        telemetry.NearThreshold,
        telemetry.Fossilized,
        telemetry.Culled,
    )
}
STAGE_FIELDS = ("target", "before", "after")


@dataclass(frozen=True)
class Entry:
    """A note, and the epoch it was made in."""

    epoch: int
    note: Note

    def to_json(self) -> str:
        """Return it as one JSON object, with the note's type under "event", stages by name."""
        names = {key: _by_name(value) for key, value in asdict(self.note).items()}
        return json.dumps({"epoch": self.epoch, "event": type(self.note).__name__, **names})

    @classmethod
    def from_json(cls, line: str) -> Entry:
        """Return what `to_json` wrote."""
        d: dict[str, Any] = json.loads(line)
        epoch, kind = d.pop("epoch"), KINDS[d.pop("event")]
        for key, value in d.items():
            if key in STAGE_FIELDS:
                d[key] = SeedStage[value]
            elif key == "stages":
                d[key] = {slot_id: SeedStage[name] for slot_id, name in value.items()}
            elif isinstance(value, list):
                d[key] = tuple(value)
        return cls(epoch, kind(**d))


def _by_name(value: object) -> object:
    if isinstance(value, SeedStage):
        return value.name
    if isinstance(value, dict):
        return {key: _by_name(item) for key, item in value.items()}
    return value


class Journal:
    """Keeps what happened, in memory and, if it has a path and may write, in a file.

    A telemetry callback: `epoch` is where the life is, and dates what comes in.
    """

    def __init__(self, path: Path | None = None, *, writes: bool = True) -> None:
        self.path, self.writes = path, writes and path is not None
        self.entries: list[Entry] = []
        self.epoch = 0

    def __call__(self, note: Note) -> None:
        """Take a note."""
        entry = Entry(self.epoch, note)
        self.entries.append(entry)
        if self.writes and self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(entry.to_json() + "\n")

    def begin_anew(self) -> None:
        """Forget everything."""
        self.entries = []
        self._rewrite()

    def go_back_to(self, epoch: int) -> None:
        """Read the file, and forget what came after `epoch`, the one a checkpoint was made at.

        A run that was killed has often written some of the next epoch, and a torn last line.
        """
        lines = self.path.read_text(encoding="utf-8").split("\n")[:-1] if self.path else []
        entries = (Entry.from_json(line) for line in lines)
        self.entries = [entry for entry in entries if entry.epoch <= epoch]
        self.epoch = epoch
        self._rewrite()

    def _rewrite(self) -> None:
        if self.writes and self.path is not None:
            beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
            lines = "".join(entry.to_json() + "\n" for entry in self.entries)
            beside.write_text(lines, encoding="utf-8")
            beside.replace(self.path)

    def measured(self) -> list[tuple[int, EpochMeasured]]:
        """Return the epochs and what was measured in each."""
        return [(e.epoch, e.note) for e in self.entries if isinstance(e.note, EpochMeasured)]

    def events(self) -> list[tuple[int, Event]]:
        """Return what happened at the slots, and when."""
        return [(e.epoch, e.note) for e in self.entries if isinstance(e.note, Event)]
