"""Watching a part of this process, for tests of training loops."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from esper_audit.watch.hooks import Hooks
from esper_audit.watch.monitor import make_monitors
from esper_audit.watch.records import Failed, Seen, read_records
from esper_audit.watch.run import Run


class WatchedTraining(msgspec.Struct):
    """What the monitors saw. `broken` and `failed` are complete after the block."""

    broken: list[Seen] = []
    failed: list[Failed] = []

    def report(self) -> str:
        """Return each finding with its place, one a line, empty without findings."""
        found = [
            f"{s.place.path}:{s.place.line}: {s.check}: {s.message} [step {s.step}]"
            for s in self.broken
        ]
        return "\n".join(
            [*found, *(f"{f.check}: the monitor raised {f.error}" for f in self.failed)]
        )


@contextmanager
def watching(root: str, *, steps: int = 0, only: Sequence[str] = ()) -> Iterator[WatchedTraining]:
    """Watch what a `with` block does. `root` is the folder of the user's code."""
    with tempfile.TemporaryDirectory(prefix="esper-audit-watch-") as folder:
        run = Run(folder, root)
        hooks = Hooks(run, make_monitors(run, only), steps)
        watched = WatchedTraining()
        hooks.install()
        try:
            yield watched
        finally:
            hooks.finish()
            records = list(read_records(Path(folder)))
            watched.broken = [record for record in records if isinstance(record, Seen)]
            watched.failed = [record for record in records if isinstance(record, Failed)]
