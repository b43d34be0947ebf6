"""Puts the defects of `reference_mutants.toml` to the tests of `esper_ref`, and to the probes if none fails.

    python benchmarks/reference_trial.py [NAME...] [--first N] [--slow] [--probes]

The defects were written from the description and the source of `esper_ref` without a look at the tests, so
that the table says what the tests notice, and not what they were written for. Each defect is applied to a
copy. The test files run first that have most names of the changed line, until one test fails (`--first`:
only so many files); those of several processes are left out. What survives the quick tests is put to the
slow ones (`--slow`) and to every promise of the subjects (`--probes`). Exit status 1: a defect survives that
the table does not explain, or one is caught that it says survives.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
import torch
from mutants import HERE, LIBRARY, LIMITS, PROBES, SILENT, TRIAL

from esper_audit.probes.sandbox.outcome import Job, Killed, Returned
from esper_audit.probes.sandbox.pool import TORCH_AND_COMPILER, Sandbox

TABLE = HERE / "reference_mutants.toml"
ROOT = HERE.parent
SECONDS = 1200
NO_TESTS = 5  # the exit status of pytest where all tests are deselected
WARNING = "ignore::pytest.PytestAssertRewriteWarning"  # of what the parent imported
# Tests of several processes do not run in a fork that has torch.
PROCESSES = "not rank and not ranks and not wrapping and not ddp and not wrapped"
OPTIONS = ("-q", "-x", "-k", PROCESSES, "-p", "no:cacheprovider", "-W", WARNING)
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Defect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A changed piece of a file, what it breaks, and the reason why nothing notices it, if nothing does."""

    name: str
    file: str
    was: str
    becomes: str
    breaks: str
    survives: str = ""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All defects."""

    mutant: list[Defect]


def main(arguments: Sequence[str]) -> int:
    """Print a row for each defect, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="defects to try (default: all)")
    parser.add_argument("--first", type=int, metavar="N", help="run only the N likeliest files")
    parser.add_argument("--slow", action="store_true", help="run the slow tests too")
    parser.add_argument("--probes", action="store_true", help="run the probes too")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    defects = msgspec.convert(tomllib.loads(TABLE.read_text(encoding="utf-8")), Table).mutant
    chosen = [one for one in defects if not given.names or one.name in given.names]
    wrong = caught = 0
    print("| defect | file | caught by |\n| --- | --- | --- |")
    for defect in chosen:
        with tempfile.TemporaryDirectory(prefix="defect-") as folder:
            tree = copied(Path(folder).resolve(), defect)
            catcher = next(catchers(tree, defect, given), "")
        shown = catcher or f"**nothing**: {defect.survives or 'not explained'}"
        print(f"| {defect.name} | {defect.file} | {shown} |", flush=True)
        caught += bool(catcher)
        wrong += bool(catcher) == bool(defect.survives)
    print(f"\n{caught} of {len(chosen)} caught, {wrong} not as the table has it")
    return int(wrong > 0)


def copied(tree: Path, defect: Defect) -> Path:
    """Return a folder with a copy of the library that has the defect, and with its tests."""
    without_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(LIBRARY, tree / "esper_ref", ignore=without_caches)
    shutil.copytree(ROOT / "tests", tree / "tests", ignore=without_caches)
    shutil.copy(ROOT / "pyproject.toml", tree)
    (tree / "docs").symlink_to(ROOT / "docs")
    path = tree / "esper_ref" / defect.file
    text = path.read_text(encoding="utf-8")
    if text.count(defect.was) != 1:
        sys.exit(f"{defect.name}: {defect.file} contains its source {text.count(defect.was)} times")
    path.write_text(text.replace(defect.was, defect.becomes), encoding="utf-8")
    return tree


def catchers(tree: Path, defect: Defect, given: argparse.Namespace) -> Iterator[str]:
    """Yield what notices a defect: the first test that fails, then the broken promises."""
    yield from failing_test(tree, defect, "not slow", given.first)
    if given.probes:
        yield from broken_promises(tree)
    if given.slow:
        yield from failing_test(tree, defect, "slow", None)


def failing_test(tree: Path, defect: Defect, marked: str, first: int | None) -> Iterator[str]:
    """Yield the first test that fails.

    The tests run in a fork of this process, which has torch and not `esper_ref`. The files come first that
    have most of the names of the changed line.
    """
    names = {defect.file.removesuffix(".py"), *re.findall(r"[A-Za-z_]{5,}", defect.was)}
    files = sorted((tree / "tests/esper_ref").glob("test_*.py"))
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    files.sort(key=lambda file: -sum(name in texts[file] for name in names))
    output = tree / "output"
    child = os.fork()
    if child == 0:
        tested(tree, [*OPTIONS, "-m", marked, *map(str, files[:first])], output)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(SECONDS)
    _, waited = os.waitpid(child, 0)
    signal.alarm(0)
    if os.WIFSIGNALED(waited):
        yield f"the tests ended by signal {os.WTERMSIG(waited)}"
        return
    text = output.read_text(encoding="utf-8", errors="replace")
    if os.waitstatus_to_exitcode(waited) not in (0, 1, NO_TESTS):
        sys.exit(f"{defect.name}: pytest failed\n{text}")
    yield from (f"`{name.rpartition('/')[2]}`" for name in FAILED.findall(text))


def tested(tree: Path, arguments: list[str], output: Path) -> NoReturn:
    """Run pytest in a tree, and end this process with its exit status."""
    status = 70
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.chdir(tree)
        sys.path.insert(0, f"{tree}")
        status = int(pytest.main(arguments))
    finally:
        sys.stdout.flush()
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)


def broken_promises(tree: Path) -> Iterator[str]:
    """Yield the probes that fail on the library in a folder."""
    search_path = [f"{ROOT}", f"{ROOT / 'tests'}"]
    kept = (*TORCH_AND_COMPILER, *PROBES)
    with Sandbox(kept, search_path=search_path, limits=LIMITS, workers=1) as sandbox:
        (known,) = sandbox.run([Job("names", f"{TRIAL}:names", {"tree": f"{tree}"})])
        if not isinstance(known.ending, Returned):
            yield f"{known}"
            return
        names = msgspec.convert(known.ending.value, list[str])
        jobs = [Job(n, f"{TRIAL}:survey", {"tree": f"{tree}", "subject": n}) for n in names]
        for outcome in sandbox.run(jobs):
            if isinstance(outcome.ending, Killed):
                yield f"{outcome.job}: {outcome.ending}"
            elif isinstance(outcome.ending, Returned):
                records = msgspec.convert(outcome.ending.value, list[dict[str, str]])
                yield from (
                    f"{r['unit']} {r['code']}" for r in records if r["verdict"] not in SILENT
                )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
