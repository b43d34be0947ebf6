"""Concurrent and killed writers of tickets lose no ticket and leave no half-written file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import ticket_writers
from support.audit_runs import ADOPTING
from support.ticket_writers import DAY, REVIEWS, TICKETS, an_audit

from esper_audit.findings.contract import load_contracts
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.sync import update_tickets

# Slow: processes write tickets at once, and are killed over it many times.
pytestmark = pytest.mark.slow

LEAST_KILLS, MOST_KILLS = 15, 60
ASKING = "def forward_{number}(host):\n    return getattr(host, 'x{number}', None)\n\n\n"


def start(*arguments: str, output: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "support.ticket_writers"]
    tests = os.path.dirname(os.path.dirname(os.path.abspath(ticket_writers.__file__)))
    environment = {**os.environ, "PYTHONPATH": tests}
    return subprocess.Popen([*program, *arguments], stdout=output, env=environment)


def ticket(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "esper_audit", "ticket", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def status(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=120)
    return process.returncode


def killed(directory: Path, part: float) -> None:
    """Kill a program that writes, in its second round, after a part of the time that its first took."""
    process = start("flip", str(directory), output=subprocess.PIPE)
    assert process.stdout is not None
    began = time.monotonic()
    process.stdout.readline()
    process.stdout.readline()
    time.sleep(part * (time.monotonic() - began))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


def test_a_kill_at_any_moment_leaves_every_ticket_old_or_new(tmp_path: Path) -> None:
    for number in range(TICKETS):
        (tmp_path / f"m{number}.py").touch()
    store = TicketStore(str(tmp_path))
    lengths: list[int] = []
    between = False
    while len(lengths) < LEAST_KILLS or not between:
        assert len(lengths) < MOST_KILLS, "no kill came between two tickets"
        killed(tmp_path, (len(lengths) % LEAST_KILLS) / LEAST_KILLS)
        tickets = store.load().values()
        assert [t.id for t in tickets if t.history[-1].after != t.status] == []
        assert len(tickets) == TICKETS
        lengths.append(sum(len(t.history) for t in tickets))
        between = between or len({t.status for t in tickets}) > 1
    assert lengths == sorted(lengths), "a line of history was lost"
    with store.exclusive():
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_reviews_of_several_people_at_once_are_all_there(tmp_path: Path) -> None:
    (tmp_path / "esper-audit.toml").write_text(ADOPTING)
    store = TicketStore(str(tmp_path / "tickets"))
    with store.exclusive():
        update_tickets(store, an_audit(str(tmp_path), found=True), load_contracts(), DAY)
    name = min(store.load())
    people = [start("review", str(tmp_path), name, who) for who in ("jo", "mo", "al")]
    assert [person.wait(120) for person in people] == [0, 0, 0]
    reviewers = [review.reviewer for review in store.load()[name].reviews]
    assert len(reviewers) == len(set(reviewers)) == 3 * REVIEWS
    assert [r for r in reviewers if r.startswith("jo")] == [f"jo {n}" for n in range(REVIEWS)]


def test_two_syncs_and_a_review_at_once_lose_nothing_and_agree(tmp_path: Path) -> None:
    (tmp_path / "esper-audit.toml").write_text(ADOPTING)
    (tmp_path / "model.py").write_text(ASKING.format(number=0))
    assert status(ticket(tmp_path, "sync")) == 1
    store = TicketStore(str(tmp_path / "tickets"))
    (first,) = store.load()
    (tmp_path / "model.py").write_text("".join(ASKING.format(number=n) for n in range(6)))
    at_once = [
        ticket(tmp_path, "sync"),
        ticket(tmp_path, "review", first, "--reviewer", "jo", "--verdict", "endorse"),
        ticket(tmp_path, "sync"),
        ticket(tmp_path, "review", first, "--reviewer", "mo", "--verdict", "object"),
    ]
    said = [process.communicate(timeout=120) for process in at_once]
    assert [errors for _, errors in said] == [""] * 4
    assert sorted(process.returncode for process in at_once) == [0, 0, 0, 1]
    tickets = store.load()
    assert len(tickets) == 6
    assert {review.reviewer for review in tickets[first].reviews} == {"jo", "mo"}
    assert status(ticket(tmp_path, "sync")) == 0


def test_ids_and_files_are_the_same_on_every_machine(tmp_path: Path) -> None:
    written = []
    for name, seed in (("here", "1"), ("there/deep down", "2")):
        root = tmp_path / name
        root.mkdir(parents=True)
        (root / "esper-audit.toml").write_text(ADOPTING)
        (root / "model.py").write_text("".join(ASKING.format(number=n) for n in range(6)))
        subprocess.run(
            [sys.executable, "-m", "esper_audit", "ticket", "sync"],
            cwd=root,
            env={"PYTHONHASHSEED": seed, "LC_ALL": "C", "HOME": str(root), "TZ": "UTC"},
            check=False,
        )
        written.append({p.name: p.read_bytes() for p in (root / "tickets").iterdir()})
    assert len(written[0]) == 6
    assert written[0] == written[1]
