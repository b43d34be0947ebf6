"""Replay the recorded output of a `check` whose inputs are unchanged.

A record lists the digest of every input of a run: the files it read, the directories it listed, the
files it looked for and did not find, the engine and the date. Nothing heavy is imported here, so that
checking an unchanged tree costs little more than starting Python.
"""

from __future__ import annotations

import os
import sys

from esper_audit.cli.local_date import today
from esper_audit.project.engine_fingerprint import cache_home, engine_fingerprint, quick_digest

FORMAT = "esper-audit replay 4"
MOST_RECORDS = 40
NOT_REPLAYED = frozenset(
    {
        "--fix",
        "--interactive",
        "-i",
        "--unsafe-fixes",
        "--diff",
        "--since",
        "--stdin-filename",
        "--no-cache",
        "--output-file",
        "--timing",
    }
)
ENVIRONMENT = (
    "GITHUB_STEP_SUMMARY",
    "NO_COLOR",
    "TERM",
    "COLUMNS",
    "PYTHONPATH",
    "ESPER_AUDIT_CACHE",
)


def replay(arguments: list[str]) -> int | None:
    """Print the recorded output of a command and return its exit status, or None if it has to run."""
    if not _may_replay(arguments):
        return None
    try:
        with open(_record_file(arguments), encoding="utf-8", newline="") as file:
            header, inputs, output = file.read().split("\n\0\n", 2)
        title, status, output_digest = header.split("\n")
        is_intact = title == FORMAT and output_digest == _digest(output)
        if not is_intact or not all(map(_is_unchanged, inputs.split("\n"))):
            return None
    except (OSError, ValueError):
        return None
    sys.stdout.write(output)
    return int(status)


def record(
    arguments: list[str], status: int, output: str, *, files: list[str], directories: list[str]
) -> None:
    """Record the output of a run.

    `files` are the absolute paths that it read or looked for, `directories` those that it listed. A
    record that cannot be written is left out.
    """
    if not _may_replay(arguments):
        return
    from esper_audit.project.atomic_write import replace_file

    inputs = [f"day {today()}", f"engine {engine_fingerprint().hex()}"]
    inputs += [f"list {_listing(directory)} {directory}" for directory in sorted(directories)]
    inputs += [f"file {_content(file)} {file}" for file in sorted(files)]
    header = f"{FORMAT}\n{status}\n{_digest(output)}"
    text = "\n\0\n".join((header, "\n".join(inputs), output))
    target = _record_file(arguments)
    try:
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        replace_file(target, text.encode())
        _prune(os.path.dirname(target))
    except (OSError, UnicodeEncodeError):
        return


def _may_replay(arguments: list[str]) -> bool:
    """Return whether a command can be replayed: a `check` of directories.

    A pre-commit hook names files, which differ from call to call.
    """
    if (
        arguments[:1] != ["check"]
        or "-" in arguments
        or not NOT_REPLAYED.isdisjoint(a.split("=")[0] for a in arguments)
    ):
        return False
    return not any(os.path.isfile(argument) for argument in arguments[1:])


def _is_unchanged(line: str) -> bool:
    kind, digest, path = (*line.split(" ", 2), "")[:3]
    if kind == "file":
        return _content(path) == digest
    if kind == "list":
        return _listing(path) == digest
    if kind == "engine":
        return engine_fingerprint().hex() == digest
    return kind == "day" and digest == today()


def _content(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return quick_digest(file.read())
    except (FileNotFoundError, NotADirectoryError):
        return "absent"


def _digest(text: str) -> str:
    return quick_digest(text.encode("utf-8", "surrogateescape"))


def _listing(path: str) -> str:
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name + "/" * os.path.isdir(entry.path) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    return _digest("\0".join(names))


def _record_file(arguments: list[str]) -> str:
    screen = str(os.get_terminal_size()) if sys.stdout.isatty() else "no terminal"
    environment = [os.environ.get(name, "") for name in ENVIRONMENT]
    key = "\0".join([os.getcwd(), sys.version, sys.executable, screen, *environment, *arguments])
    return os.path.join(cache_home(), f"{_digest(key)}.replay")


def _prune(directory: str) -> None:
    """Keep the newest records only."""
    with os.scandir(directory) as entries:
        records = [(e.stat().st_mtime, e.path) for e in entries if e.name.endswith(".replay")]
    for _, path in sorted(records)[:-MOST_RECORDS]:
        os.unlink(path)
