"""Runs the commands over mutated tickets, configurations and sources: nothing falls over, nothing hangs.

    python benchmarks/ticket_fuzz.py [--tickets 500] [--configurations 300] [--sources 300] [--seed 0]

Each case is a small tree of its own with one file mutated. In half of the cases the mutation is gentle, so that
what is read gets far: one character, or the value of one field. In the others lines are deleted, repeated,
swapped, cut; characters are replaced by odd ones; values by those of other types; YAML, TOML and Python by
pieces of others. Each command
runs in a fork of this process, with a limit of time. A case fails with a traceback, an exit status that no
command has, a time-out, or an error (exit status 2) whose message names no file, or no line where the file
exists. The failed inputs are kept.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import string
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

SECONDS = 60
TICKET = """\
id: T-1
title: The valve asks twice
status: open
severity: P2
proposed_severity: P2
created: '2025-03-02'
categories: [performance]
locations:
- path: pkg/valve.py
  symbol: Valve.open
  lines: 8-9
summary: The valve asks twice.
description: |
  It asks twice:

  ```python
  # Lines 8-9
  level = tank.level()
  ```
evidence:
- place: pkg/valve.py:8
  code: |
    level = tank.level()
    ...
claims:
- id: C1
  sentence: Every caller passes the tank.
  kind: callers
  of: pkg.valve.Valve.open
  argument: tank
  omitting: 0
- {id: C2, sentence: It is written so., kind: quote, path: pkg/valve.py, lines: '8', code: level = tank.level()}
- {id: C3, sentence: It is here., kind: location, path: pkg/valve.py, symbol: Valve.open}
fix:
- {option: Ask once, text: 'Keep the level.'}
verification:
- text: count the calls
  done: false
related:
- {id: T-2, relation: related, note: the pump}
reviews:
- {reviewer: pump, verdict: endorse, evaluation: Yes., date: '2025-03-03'}
history:
- {date: '2025-03-02', by: ada, after: open, why: found}
"""
OTHER = """\
id: T-2
title: The pump asks twice
status: fixed
severity: P3
created: '2025-03-02'
categories: []
locations: []
summary: The pump asks twice.
related:
- {id: T-1, relation: related}
resolution:
  kind: fixed
  evidence: Seen on the bench.
  commits: [58ab12cd]
"""
CONFIGURATION = """\
exclude = ["build/**"]
select = ["silent-except", "unauthorised-hasattr"]
extend-select = []
ignore = []
tickets = "tickets"
reports = "reports"

[import]
map = { "old/pkg" = "pkg" }

[checking]
seconds = 10
memory = 512

[[allow]]
check = "silent-except"
path = "pkg/valve.py"
owner = "Jo"
reason = "the bench"
"""
SOURCE = '''\
"""A valve."""

from __future__ import annotations


class Valve:
    def open(self, tank, speed=1.0, *, mode="slow"):
        level = tank.level()
        try:
            tank.drain(level)
        except Exception:
            pass
        if hasattr(tank, "close"):
            tank.close()
        return {key: value for key, value in zip("ab", [level, speed])}


def use(tanks):
    valve = Valve()
    return [valve.open(tank, mode="fast") for tank in tanks]
'''
# Pieces that files of other people hold.
ODD = [
    *(
        "\x00",
        "\ufeff",
        "\ud800",
        "\u2028",
        "\x0c",
        "\r",
        "\t",
        "é",
        "🧵",
        "\\",
        "'",
        '"',
        '"""',
        "`",
        "|",
        "#",
        "%",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "<",
        ">",
        "&a",
        "*a",
        "!!python/object:os.system",
        "---",
        "...",
        ": ",
        "- ",
        "?",
    ),
    *(
        "null",
        "true",
        "~",
        "1e999",
        "0x" + "f" * 5000,
        "9" * 5000,
        ".inf",
        "2025-13-45",
        "-1",
        "''",
        "[]",
        "{}",
    ),
    *(
        "../../etc/passwd",
        "/",
        "C:\\x",
        "a" * 5000,
        "[" * 300,
        "{a: " * 200,
        "(" * 400,
        "not " * 300,
    ),
    *(
        "lambda: ",
        "yield",
        "async def f():",
        "match x:",
        "case _:",
        "class A(A): pass",
        "import *",
        "\N{DIGIT ONE}",
    ),
]
VALUES = [
    "[]",
    "{}",
    "null",
    "3",
    "1.5",
    "true",
    "''",
    "[1, {a: 2}]",
    "- x",
    '"x"',
    "'",
    "|\n    x",
    "&a [*a]",
    "!x y",
]
COMMANDS: dict[str, Sequence[str]] = {
    "list": ("ticket", "list", "--status", "all"),
    "show": ("ticket", "show", "T-1"),
    "lint": ("ticket", "lint"),
    "verify": ("ticket", "verify"),
    "check": ("check", "--no-cache"),
    "refs": ("refs", "pkg.valve.Valve.open"),
    "sync": ("ticket", "sync"),
    "report": ("report",),
    "run": ("run",),
}
FIELD = re.compile(r"(?<=[:=] )([^\n,{}]+)")
PLACED = re.compile(r"[\w./-]+\.(?:yaml|toml|py)(?::\d+)?")
LINED = re.compile(r"[\w./-]+\.(?:yaml|toml|py):\d+")


class Ended(NamedTuple):
    """How a command ended: its exit status, -1 for a time-out, and what it wrote."""

    status: int
    output: str
    errors: str


def main() -> None:
    """Run all cases and print the table of exit statuses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=500)
    parser.add_argument("--configurations", type=int, default=300)
    parser.add_argument("--sources", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "ticket_fuzz")
    options = parser.parse_args()
    warm_up()
    failures = 0
    for kind, number in (
        ("tickets", options.tickets),
        ("configurations", options.configurations),
        ("sources", options.sources),
    ):
        statuses: Counter[tuple[str, int]] = Counter()
        for n in range(number):
            failures += run_case(kind, options.seed + n, statuses, options.keep)
        print(f"{kind}: {number} cases")
        for name in COMMANDS:
            ends = {
                status: count
                for (command, status), count in sorted(statuses.items())
                if command == name
            }
            print(f"    {name:8} {ends}")
    print(f"{failures} failures{f', kept in {options.keep}' if failures else ''}")
    sys.exit(int(failures > 0))


def run_case(kind: str, seed: int, statuses: Counter[tuple[str, int]], keep: Path) -> int:
    """Run all commands in one mutated tree, and return how many failed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_tree(root, kind, random.Random(f"{kind}{seed}"))
        failed = 0
        for name, arguments in COMMANDS.items():
            ended = run(root, arguments)
            statuses[name, ended.status] += 1
            problem = problem_of(ended, root)
            if problem:
                failed += 1
                print(f"{kind} {seed}: {name}: {problem}")
        if failed:
            shutil.copytree(root, keep / f"{kind}-{seed}", dirs_exist_ok=True, symlinks=True)
        return failed


def problem_of(ended: Ended, root: Path) -> str:
    """Return what is wrong with the end of a command, empty if nothing is."""
    text = ended.output + ended.errors
    last = text.strip().rpartition("\n")[2][:200]
    if ended.status == -1:
        return "no end"
    if "Traceback (most recent call last)" in text or ended.status not in (0, 1, 2, 3):
        return f"exit status {ended.status}: {last}"
    if ended.status != 2:
        return ""
    placed = PLACED.search(ended.errors)
    is_about_line = not re.search(
        r"no such|not a (?:file|folder|directory)|cannot be (?:read|written)", ended.errors
    )
    if "no symbol" in ended.errors or "no ticket" in ended.errors:
        return ""
    if placed is None or (is_about_line and not LINED.search(ended.errors)):
        return f"no place in the message: {ended.errors.strip()[:300]}"
    return ""


def write_tree(root: Path, kind: str, draw: random.Random) -> None:
    """Write a tree in which one file is mutated."""
    for folder in ("pkg", "tickets"):
        (root / folder).mkdir()
    texts = {
        "tickets/T-1.yaml": mutated(TICKET, draw, yaml_values) if kind == "tickets" else TICKET,
        "tickets/T-2.yaml": OTHER,
        "esper-audit.toml": mutated(CONFIGURATION, draw, toml_values)
        if kind == "configurations"
        else "",
        "pkg/__init__.py": "",
        "pkg/valve.py": mutated(SOURCE, draw, lambda text, _: text)
        if kind == "sources"
        else SOURCE,
    }
    for path, text in texts.items():
        (root / path).write_bytes(text.encode("utf-8", "surrogatepass"))


def mutated(text: str, draw: random.Random, values: Callable[[str, random.Random], str]) -> str:
    """Return a text after one gentle change, or a few random ones."""
    if draw.random() < 0.5:
        return gently_mutated(text, draw)
    for _ in range(draw.choice((1, 1, 2, 4))):
        lines = text.split("\n")
        at = draw.randrange(len(lines))
        way = draw.randrange(9)
        if way == 0:
            del lines[at]
        elif way == 1:
            lines.insert(draw.randrange(len(lines)), lines[at])
        elif way == 2:
            other = draw.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif way == 3:
            lines[at] = draw.choice(["", " ", "    ", "\t"]) + lines[at].lstrip()
        elif way == 4:
            cut = draw.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:cut] + draw.choice(ODD) + lines[at][cut:]
        elif way == 5:
            lines[at] = lines[at][: draw.randrange(len(lines[at]) + 1)]
        elif way == 6:
            lines[at:at] = draw.choice([TICKET, OTHER, CONFIGURATION, SOURCE]).split("\n")[
                : draw.randrange(1, 9)
            ]
        elif way == 7:
            lines = lines[: at + 1]
        else:
            lines = values(text, draw).split("\n")
        text = "\n".join(lines) or "\n"
    return text


def gently_mutated(text: str, draw: random.Random) -> str:
    """Return a text with another character, or with another value of one field."""
    at = draw.randrange(len(text))
    way = draw.randrange(5)
    if way == 0:
        return text[:at] + draw.choice(string.printable) + text[at + 1 :]
    if way == 1:
        return text[:at] + text[at + 1 :]
    if way == 2:
        return text[:at] + draw.choice(string.printable) + text[at:]
    fields = list(FIELD.finditer(text))
    field = draw.choice(fields)
    other = draw.choice(fields)[1] if way == 3 else draw.choice(VALUES + ODD)
    return text[: field.start(1)] + other + text[field.end(1) :]


def yaml_values(text: str, draw: random.Random) -> str:
    """Return a text with the value of a key of another type."""
    return re.sub(r"(?m)^(\s*-? ?\w+: )(.+)$", replaced(draw), text)


def toml_values(text: str, draw: random.Random) -> str:
    """Return a text with the value of a key of another type."""
    return re.sub(r"(?m)^([\w-]+ = )(.+)$", replaced(draw), text)


def replaced(draw: random.Random) -> Callable[[re.Match[str]], str]:
    """Return the function that replaces one match in six."""
    return lambda match: match[1] + draw.choice(VALUES) if draw.random() < 1 / 6 else match[0]


def warm_up() -> None:
    """Import what the commands import, so that each fork has it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_tree(root, "", random.Random(0))
        directory = os.getcwd()
        os.chdir(root)
        for arguments in COMMANDS.values():
            call(arguments, os.devnull, os.devnull)
        os.chdir(directory)


def call(arguments: Sequence[str], output: str, errors: str) -> int:
    """Run a command in this process, and return its exit status."""
    from esper_audit.cli.root import root

    kept = sys.stdout, sys.stderr
    with (
        open(output, "w", encoding="utf-8", errors="backslashreplace") as sys.stdout,
        open(errors, "w", encoding="utf-8", errors="backslashreplace") as sys.stderr,
    ):
        try:
            root(args=list(arguments), prog_name="esper-audit")
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else 0
        except BaseException:  # noqa: BLE001  # what falls over is what is looked for
            traceback.print_exc()
            return 70
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdout, sys.stderr = kept
    return 0


def run(root: Path, arguments: Sequence[str]) -> Ended:
    """Run a command in a fork, and return how it ended."""
    output, errors = root / ".out", root / ".err"
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.chdir(root)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        status = 70
        try:
            status = call(arguments, str(output), str(errors))
        finally:
            os._exit(status)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(SECONDS)
    _, waited = os.waitpid(child, 0)
    signal.alarm(0)
    status = -1 if os.WIFSIGNALED(waited) else os.waitstatus_to_exitcode(waited)
    texts = [
        file.read_text("utf-8", "replace") if file.exists() else "" for file in (output, errors)
    ]
    for file in (output, errors):
        file.unlink(missing_ok=True)
    return Ended(status, *texts)


if __name__ == "__main__":
    main()
