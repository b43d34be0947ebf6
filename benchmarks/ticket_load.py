"""Loading 400 tickets of six kilobytes, processor time: parsed, known by content, and as a whole process.

    python benchmarks/ticket_load.py [--count N] [--repeat N]

The peer is what a project would write at first: `yaml.safe_load` with the C parser over the same files.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import yaml

from esper_audit.findings.finding import Category, Severity
from esper_audit.tickets.parts import (
    Change,
    Evidence,
    FixOption,
    Opinion,
    Review,
    Step,
    TicketLocation,
)
from esper_audit.tickets.states import Status
from esper_audit.tickets.store import TicketStore
from esper_audit.tickets.ticket import Ticket

PROSE = "\n".join(f"Line {n} says what `seed_input` is and why it matters here." for n in range(22))


def a_ticket(number: int) -> Ticket:
    """Return a ticket as long as those of a real project."""
    return Ticket(
        id=f"T{number // 40}-DRL-{number:03}",
        title=f"Ticket {number} of a benchmark",
        status=Status.OPEN,
        severity=Severity.P3,
        created="2026-05-04",
        categories=[Category.CORRECTNESS],
        locations=[TicketLocation(path=f"slot_{number}.py", symbol="Slot.step", lines="3-9")],
        summary="One line.",
        description=PROSE,
        evidence=[Evidence(code=PROSE, first_line=3)],
        fix=[FixOption(option=f"way {n}", text=PROSE[:600]) for n in range(2)],
        verification=[Step(text=f"do {n}") for n in range(4)],
        reviews=[
            Review(reviewer=who, verdict=Opinion.ENDORSE, evaluation=PROSE[:400])
            for who in ("drl", "pytorch", "codereview")
        ],
        history=[Change(date="2026-05-04", by="jo", after="open", why="found")],
    )


def seconds(act: Callable[[], object], repeat: int) -> float:
    """Return the median processor time of an act."""
    taken = []
    for _ in range(repeat):
        start = time.process_time()
        act()
        taken.append(time.process_time() - start)
    return median(taken)


def process_seconds(arguments: list[str], directory: str, repeat: int) -> float:
    """Return the median processor time of a whole process."""
    taken = []
    for _ in range(repeat):
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=directory, stdout=subprocess.DEVNULL
        )
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        taken.append(usage.ru_utime + usage.ru_stime)
    return median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["ESPER_AUDIT_CACHE"] = os.path.join(directory, "cache")
        Path(directory, "esper-audit.toml").touch()
        store = TicketStore(os.path.join(directory, "tickets"))
        for number in range(asked.count):
            store.save(a_ticket(number), None)
        files = sorted(Path(store.directory).iterdir())
        size = sum(file.stat().st_size for file in files) / len(files)

        def parsed() -> None:
            for index in Path(directory, "cache").glob("*.tickets"):
                index.unlink()
            store.load()

        def by_the_peer() -> None:
            for file in files:
                yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)

        peer = seconds(by_the_peer, asked.repeat)
        cold = seconds(parsed, asked.repeat)
        known = seconds(store.load, asked.repeat)
        bare = process_seconds(["-c", "pass"], directory, asked.repeat)
        listed = process_seconds(["-m", "esper_audit", "ticket", "list"], directory, asked.repeat)
    print(
        f"{asked.count} tickets of {size:,.0f} bytes, processor seconds, median of {asked.repeat}"
    )
    print(f"yaml.load with the C parser, nothing checked {peer:8.3f}")
    print(f"parsed, typed and indexed                    {cold:8.3f}  {cold / peer:5.2f} of that")
    print(f"known by content                             {known:8.3f}  {known / peer:5.2f} of that")
    print(f"`ticket list` as a process                   {listed:8.3f}  {listed / bare:5.1f} times")
    print(f"`python -c pass`                             {bare:8.3f}")


if __name__ == "__main__":
    main()
