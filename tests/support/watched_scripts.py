"""Running a training script under the hooks of `watch`, in this process."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import msgspec
import torch

from esper_audit.watch.hooks import Hooks
from esper_audit.watch.monitor import make_monitors
from esper_audit.watch.records import Failed, Looked, Measured, Seen, read_records
from esper_audit.watch.run import Run

START = """
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
x, y = torch.randn(24, 6), torch.randint(0, 3, (24,))
model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""


class Watched(msgspec.Struct):
    """What the monitors wrote about a script, by kind."""

    seen: list[Seen]
    measured: list[Measured]
    looks: dict[str, int]

    @property
    def codes(self) -> list[str]:
        """Each finding as `monitor code`, without repetitions."""
        return sorted({f"{seen.check} {seen.code}" for seen in self.seen})


def watch_script(folder: Path, code: str, steps: int = 0) -> Watched:
    """Run a script below `START`, and return what was seen. A monitor that raises is an error."""
    script, report = folder / "train.py", folder / "report"
    report.mkdir(exist_ok=True)
    script.write_text(START + dedent(code), encoding="utf-8")
    run = Run(f"{report}", f"{folder}")
    hooks = Hooks(run, make_monitors(run, only=()), steps)
    state = torch.get_rng_state()
    hooks.install()
    try:
        exec(compile(script.read_text(), f"{script}", "exec"), {"__name__": "__main__"})
    finally:
        hooks.finish()
        torch.set_rng_state(state)
    records = list(read_records(report))
    failed = [record for record in records if isinstance(record, Failed)]
    assert not failed, failed
    return Watched(
        [record for record in records if isinstance(record, Seen)],
        [record for record in records if isinstance(record, Measured)],
        {record.check: record.times for record in records if isinstance(record, Looked)},
    )
