"""TensorBoardWriter: the events of slots as scalars, beside the lines of JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from esper_ref.lifecycle import SeedStage
from esper_ref.telemetry import Event, StageChanged

if TYPE_CHECKING:
    import os

HEADER = ("slot_id", "seed_id")


class ScalarWriter(Protocol):
    """What writes scalars: TensorBoard's `SummaryWriter`, or another with its method."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> object:
        """Write one value."""


class TensorBoardWriter:
    """A callback that writes every number of an event as `slot/event/field`, and the stage.

    Set `step` to the epoch: events that come while it stays the same share it. Texts, such as the
    reason of a cull, are in the lines of JSON alone.
    """

    def __init__(self, writer: ScalarWriter) -> None:
        self.writer = writer
        self.step = 0

    @classmethod
    def to_folder(cls, folder: str | os.PathLike[str]) -> TensorBoardWriter:
        """Return a writer into `folder` (needs: pip install tensorboard)."""
        from torch.utils.tensorboard import SummaryWriter

        return cls(SummaryWriter(folder))

    def __call__(self, event: Event) -> None:
        """Write the numbers of `event`."""
        name = f"{event.slot_id}/{type(event).__name__}"
        if isinstance(event, StageChanged):
            self.writer.add_scalar(f"{event.slot_id}/stage", int(event.after), self.step)
        for key, value in asdict(event).items():
            is_number = isinstance(value, int | float) and not isinstance(value, SeedStage)
            if key not in HEADER and is_number:
                self.writer.add_scalar(f"{name}/{key}", float(value), self.step)
