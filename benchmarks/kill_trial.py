"""Kills commands with SIGKILL, and looks for what is lost or left behind.

    python benchmarks/kill_trial.py [--kills 100] [--seed 0]

Each kill is in a copy of a small tree with sources, tickets with comments of a person, and Markdown tickets.
Half of the kills come after a random time, half directly before a random write: the command counts its own
opens for writing, renames and removals, and kills itself at one of them. After the kill each file must be
whole: as it was, or as a command that is not killed leaves it; no worker may live on. Then the command runs
again: the tree must be as if the first one had not been killed, without any temporary file. A killed
`ticket resolve` may leave links of other tickets to the next `ticket sync`, which runs too.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

COMMANDS = {
    "run": ("run", "--no-cache"),
    "sync": ("ticket", "sync", "--no-cache"),
    "import": ("ticket", "import", "old"),
    "fix": ("check", "--fix", "--no-cache"),
    "report": ("report",),
    "resolve": (
        "ticket",
        "resolve",
        "T-3",
        "--kind",
        "wont-fix",
        "--evidence",
        "Seen on the bench.",
    ),
}
# Runs the command line and kills itself before the n-th write, never if n is 0. Workers are not killed.
BOOTSTRAP = """
import os, signal, sys
at, counted = int(sys.argv.pop(1)), 0
own = os.getpid()
def count(event, arguments):
    global counted
    is_write = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir") or (
        event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR)
    )
    if is_write and os.getpid() == own and not str(arguments[0]).startswith("/dev"):
        counted += 1
        if counted == at:
            os.kill(own, signal.SIGKILL)
sys.addaudithook(count)
from esper_audit.cli import main
try:
    sys.exit(main())
finally:
    if file := os.environ.get("KILL_TRIAL_COUNT"):
        with open(file, "w") as stream:
            stream.write(str(counted))
"""
SOURCE = '''\
"""Block {n}."""

from torch import Tensor, nn
from torch.nn import functional as F


class Block{n}(nn.Module):
    def __init__(self, width: int, names: list[str] = []) -> None:
        super().__init__()
        self.line = nn.Linear(width, width)
        self.names = names
        self.names.append("line{n}")

    def forward(self, x: Tensor) -> Tensor:
        try:
            x = self.line(x)
        except Exception:
            pass
        return F.dropout(x, 0.1)
'''
TICKET = """\
# A person wrote this line about T-{n}.
id: T-{n}
title: The valve {n} asks twice   # and this one
status: open
severity: P2
created: '2025-03-02'
categories: [performance]
locations:
- path: pkg/block_{n}.py
  symbol: Block{n}.forward
summary: The valve asks twice.
related:
- {{id: T-{other}, relation: related, note: the pump}}
"""
FORM = """\
# Finding Ticket: Pump {n}

## Ticket Metadata

| Field | Value |
|-------|-------|
| **Ticket ID** | `OLD-{n}` |
| **Severity** | `P2` |
| **Status** | `open` |

## Location

| Field | Value |
|-------|-------|
| **File(s)** | `pkg/block_{n}.py` |

## Summary

**One-line summary:** The pump {n} asks twice.
"""
AGAIN = {"resolve": "sync"}  # what runs after the command was run again
FILES = 8
SECONDS = 120
GRACE = 10  # seconds for workers to notice that their parent is gone


class Tree(NamedTuple):
    """A folder with the project, and one that is its temporary directory."""

    project: Path
    temporary: Path


class Plain(NamedTuple):
    """What a command does that is not killed: its seconds, its writes, and the files it leaves.

    `later` are the files after it ran again.
    """

    seconds: float
    writes: int
    files: Mapping[str, bytes]
    later: Mapping[str, bytes]


def main() -> None:
    """Kill the commands in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(COMMANDS), help="kill this command alone")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    outcomes: Counter[tuple[str, str]] = Counter()
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_project(root / "start")
        before = contents(root / "start")
        chosen = [options.only] if options.only else list(COMMANDS)
        plain = {name: unkilled(root, name) for name in chosen}
        for number in range(options.kills):
            name = options.only or list(COMMANDS)[number % len(COMMANDS)]
            by_time = draw.random() < 0.5
            found = trial(root, name, before, plain[name], draw, by_time=by_time)
            problems += [f"{name} {number}: {problem}" for problem in found]
            outcomes[name, "by time" if by_time else "at a write"] += 1
    for name in chosen:
        kinds = {kind: outcomes[name, kind] for kind in ("by time", "at a write")}
        print(f"{name:8} {plain[name].writes:4} writes, killed {kinds}")
    print("\n".join([*problems, f"{options.kills} kills, {len(problems)} problems"]))
    sys.exit(int(bool(problems)))


def write_project(root: Path) -> None:
    """Write the tree that each trial starts from."""
    for folder in ("pkg", "tickets", "old"):
        (root / folder).mkdir(parents=True)
    (root / "esper-audit.toml").write_text('profile = "strict"\npaths = ["pkg"]\n')
    (root / "pkg/__init__.py").touch()
    for n in range(FILES):
        (root / f"pkg/block_{n}.py").write_text(SOURCE.replace("{n}", str(n)))
        ticket = TICKET.format(n=n, other=(n + 1) % FILES)
        (root / f"tickets/T-{n}.yaml").write_text(ticket)
        (root / f"old/OLD-{n}.md").write_text(FORM.format(n=n))


def contents(root: Path) -> dict[str, bytes]:
    """Return all files below a folder by their paths, and empty folders."""
    files = {
        f"{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
    return dict(sorted(files.items()))


def copied(root: Path) -> Tree:
    """Return a new copy of the tree."""
    folder = Path(tempfile.mkdtemp(dir=root))
    shutil.copytree(root / "start", folder / "project")
    (folder / "temporary").mkdir()
    return Tree(folder / "project", folder / "temporary")


def unkilled(root: Path, name: str) -> Plain:
    """Run a command to its end."""
    tree = copied(root)
    count = tree.project.parent / "count"
    start = time.monotonic()
    process = started(tree, name, 0, KILL_TRIAL_COUNT=str(count))
    process.wait(SECONDS)
    if process.returncode not in (0, 1):
        sys.exit(f"{name}: exit status {process.returncode}")
    seconds, files = time.monotonic() - start, contents(tree.project)
    run_again(tree, name)
    return Plain(seconds, int(count.read_text()), files, contents(tree.project))


def run_again(tree: Tree, name: str) -> list[int]:
    """Run a command again, and what completes it, and return the exit statuses."""
    names = [name, *([AGAIN[name]] if name in AGAIN else [])]
    return [started(tree, one, 0).wait(SECONDS) for one in names]


def started(tree: Tree, name: str, at: int, **environment: str) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", BOOTSTRAP, str(at), *COMMANDS[name]],
        cwd=tree.project,
        env={**os.environ, "TMPDIR": str(tree.temporary), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def trial(
    root: Path,
    name: str,
    before: Mapping[str, bytes],
    plain: Plain,
    draw: random.Random,
    *,
    by_time: bool,
) -> list[str]:
    """Kill a command once, and return what is wrong afterwards."""
    tree = copied(root)
    process = started(tree, name, 0 if by_time else draw.randint(1, plain.writes))
    if by_time:
        time.sleep(draw.uniform(0.3, 1.0) * plain.seconds)
        os.kill(process.pid, signal.SIGKILL)
    process.wait(SECONDS)
    problems = [f"a worker lives on: {pid}" for pid in survivors(process.pid)]
    for path, data in contents(tree.project).items():
        is_temporary = os.path.basename(path).startswith(".esper-audit-")
        if not is_temporary and data not in (
            before.get(path),
            plain.files.get(path),
            plain.later.get(path),
        ):
            problems.append(f"{path} is neither as before nor as after")
    problems += [f"{path} is gone" for path in before if not (tree.project / path).exists()]
    statuses = run_again(tree, name)
    if statuses[-1] not in (0, 1):
        problems.append(f"the next one ends with {statuses[-1]}")
    after = contents(tree.project)
    for path in sorted({*after, *plain.later}):
        if after.get(path) != plain.later.get(path):
            problems.append(f"{path} differs after the next one")
    problems += [f"{path} is left in the temporary directory" for path in contents(tree.temporary)]
    if not problems:
        shutil.rmtree(tree.project.parent)
    return problems


def survivors(session: int) -> list[int]:
    """Return the processes of a session that do not end."""
    deadline = time.monotonic() + GRACE
    while (alive := in_session(session)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return alive


def in_session(session: int) -> list[int]:
    """Return the live processes of a session."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state, _, _, of = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue  # it ended meanwhile
        if int(of) == session and state != "Z":
            found.append(int(folder.name))
    return found


if __name__ == "__main__":
    main()
