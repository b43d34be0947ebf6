"""Events become scalars, by slot, event and field."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from esper_ref import SeedSlot, SeedStage, Telemetry
from esper_ref.tensorboard import TensorBoardWriter


class Written(list[tuple[str, float, int]]):
    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        self.append((tag, scalar_value, global_step))


def test_the_numbers_of_every_event_are_written_at_the_step() -> None:
    written = Written()
    writer = TensorBoardWriter(written)
    slot = SeedSlot("r0c0", 4, telemetry=Telemetry(writer))
    slot.germinate("norm")
    writer.step = 3
    slot.advance_stage()
    parameters = sum(p.numel() for p in slot.parameters())
    assert ("r0c0/Germinated/parameters", float(parameters), 0) in written
    assert ("r0c0/GateEvaluated/passed", 1.0, 0) in written
    assert ("r0c0/stage", float(SeedStage.TRAINING), 3) in written
    assert not any(tag.endswith(("seed_id", "message")) for tag, _, _ in written)
    assert slot.telemetry.failures == []


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_a_folder_for_tensorboard(tmp_path: Path) -> None:
    TensorBoardWriter.to_folder(tmp_path).writer.add_scalar("a", 1.0, 1)
    assert list(tmp_path.glob("events.out.tfevents.*"))
