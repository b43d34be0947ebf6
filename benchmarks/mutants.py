"""Mutants of esper_ref: each one-line defect of `mutants.toml` must be caught, by the check named for it.

    python benchmarks/mutants.py                      # the table: mutant, file, what caught it
    python benchmarks/mutants.py drop-the-detach ...  # some of them
    python benchmarks/mutants.py --all ...            # put to every check there is

A defect is applied to a copy of esper_ref. Rules read the copy; every unit of a probe runs in a sandbox
process of its own that imports the copy. Exit status 1: a mutant got away, or was caught for
another reason than the one named. 2: a mutant does not apply any more, or names what is not there.
"""

from __future__ import annotations

import argparse
import ast
import datetime as dt
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from esper_audit.engine.pipeline import CheckRequest, check
from esper_audit.probes.sandbox.outcome import Job, Killed, Limits, Returned
from esper_audit.probes.sandbox.pool import TORCH_AND_COMPILER, Sandbox
from esper_audit.project.config import find_project
from esper_audit.project.submodules import submodules
from esper_audit.rules.registry import discover
from esper_audit.text.phrases import did_you_mean

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parent / "esper_ref"
TABLE = HERE / "mutants.toml"
TRIAL = f"{HERE / 'mutant_trial.py'}"
PROBES = tuple(submodules("esper_audit.probes.catalogue"))
SILENT = ("pass", "expected-fail")
LIMITS = Limits(seconds=300.0)


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A line of `file` that becomes another, and what must be said then.

    `was` is a stretch of source that stands in the file once; at most one line of it is replaced, by one
    or more. `caught_by`: `probe[subject@state] detector`, or `rule[symbol]`.
    """

    name: str
    file: str
    was: str
    becomes: str
    caught_by: list[str] = []
    equivalent: str = ""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All mutants; those that say why they are `equivalent` change nothing that anybody could see."""

    mutant: list[Mutant]


class Stale(Exception):
    """The table does not fit the library: it has to be corrected, whatever the checks say."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="mutants; none means all")
    parser.add_argument(
        "--all", action="store_true", help="put them to every check, not only those named"
    )
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    try:
        mutants = chosen(read(given.table), given.names)
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            return Trials(Path(folder).resolve(), mutants, given.workers, given.all).table()
    except Stale as error:
        print(error, file=sys.stderr)
        return 2


def read(table: Path) -> list[Mutant]:
    """Return the mutants of a file; one that does not apply is Stale."""
    mutants = msgspec.convert(tomllib.loads(table.read_text(encoding="utf-8")), Table).mutant
    problems = [said for mutant in mutants for said in objections(mutant)]
    twice = {m.name for m in mutants if [n.name for n in mutants].count(m.name) > 1}
    problems += [f"{name}: stands in the table twice" for name in sorted(twice)]
    if problems:
        raise Stale("\n".join(problems))
    return mutants


def objections(mutant: Mutant) -> Iterator[str]:
    """Yield why a mutant cannot be made, or would prove nothing."""
    before, after = (text.splitlines() for text in (mutant.was, mutant.becomes))
    while before and after and before[0] == after[0]:
        del before[0], after[0]
    while before and after and before[-1] == after[-1]:
        del before[-1], after[-1]
    if len(before) > 1:
        yield f"{mutant.name}: replaces {len(before)} lines of {mutant.file}, wanted one at most"
    if not (before or after):
        yield f"{mutant.name}: changes nothing"
    if bool(mutant.caught_by) == bool(mutant.equivalent):
        yield f"{mutant.name}: say by what it is caught, or why it is equivalent"
    path = LIBRARY / mutant.file
    times = path.read_text(encoding="utf-8").count(mutant.was) if path.is_file() else 0
    if times != 1:
        yield (
            f"{mutant.name}: found its source {times} times in {mutant.file}, wanted once; "
            "the library has changed, so must the table"
        )


def chosen(mutants: list[Mutant], names: Sequence[str]) -> list[Mutant]:
    known = [mutant.name for mutant in mutants]
    for name in names:
        if name not in known:
            raise Stale(f"no mutant {name!r}{did_you_mean(name, known)}")
    return [mutant for mutant in mutants if not names or mutant.name in names]


class Said(msgspec.Struct, frozen=True):
    """What a check said: `what` reads as in the table, `holds` where nothing is wrong."""

    what: str
    message: str
    holds: bool


class Trials:
    """A directory of mutated copies, and a sandbox that asks what becomes of them."""

    def __init__(self, folder: Path, mutants: list[Mutant], workers: int, everything: bool) -> None:
        self.folder, self.mutants, self.everything = folder, mutants, everything
        self.workers = workers
        self.rules = set(discover())
        self.sound = self.copy("sound")

    def copy(self, name: str, mutant: Mutant | None = None) -> str:
        """Return a directory that holds a copy of the library, with a defect."""
        tree = self.folder / name
        shutil.copytree(LIBRARY, tree / "esper_ref", ignore=shutil.ignore_patterns("__pycache__"))
        if mutant is not None:
            path = tree / "esper_ref" / mutant.file
            text = path.read_text(encoding="utf-8").replace(mutant.was, mutant.becomes)
            ast.parse(text)
            path.write_text(text, encoding="utf-8")
        return f"{tree}"

    def table(self) -> int:
        """Print a row for each mutant, and return the exit status."""
        escaped = silent = 0
        with Sandbox(
            (*TORCH_AND_COMPILER, *PROBES),
            search_path=[f"{HERE.parent}", f"{HERE.parent / 'tests'}"],
            limits=LIMITS,
            workers=self.workers,
        ) as sandbox:
            self.prove_the_checks_silent(sandbox)
            print("| mutant | file | caught by |\n| --- | --- | --- |")
            for mutant in self.mutants:
                wrong, row = self.row(sandbox, mutant)
                escaped += wrong
                print(f"| {mutant.name} | {mutant.file} | {row} |", flush=True)
                silent += not wrong and bool(mutant.equivalent)
        caught = len(self.mutants) - escaped - silent
        print(f"\n{caught} caught, {escaped} not as named, {silent} equivalent")
        return int(escaped > 0)

    def prove_the_checks_silent(self, sandbox: Sandbox) -> None:
        """What a check says of the library as it is, it does not say of a mutant."""
        expected = {said.partition(" ")[0] for m in self.mutants for said in m.caught_by}
        found = [*self.read(self.sound, "."), *self.run(sandbox, self.sound, sorted(expected))]
        spoken = [f"{said.what}: {said.message}" for said in found if not said.holds]
        if spoken:
            raise Stale("the checks speak of the library as it is:\n" + "\n".join(spoken))

    def row(self, sandbox: Sandbox, mutant: Mutant) -> tuple[bool, str]:
        """Return whether a mutant got away, and what the table says of it."""
        tree = self.copy(mutant.name, mutant)
        found = list(self.read(tree, mutant.file))
        if self.everything:
            found += self.ask(sandbox, tree)
        else:
            found += self.run(sandbox, tree, [said.partition(" ")[0] for said in mutant.caught_by])
        shutil.rmtree(tree)
        loud = {said.what: said.message for said in found if not said.holds}
        if mutant.equivalent:
            return bool(loud), "; ".join(loud) or f"equivalent: {mutant.equivalent}"
        missing = [said for said in mutant.caught_by if said not in loud]
        if not missing:
            return False, "; ".join(loud if self.everything else mutant.caught_by)
        said = "; ".join(f"{s.what} ({s.message})" for s in found) or "nothing"
        return True, f"**NOT by {', '.join(missing)}**; they said: {said}"

    def read(self, tree: str, file: str) -> Iterator[Said]:
        """Yield the findings of the rules in a file of a tree."""
        path = os.path.normpath(os.path.join(tree, "esper_ref", file))
        today = f"{dt.datetime.now(dt.UTC).date()}"
        request = CheckRequest(paths=[path], jobs=1, cache=False, baseline=False, today=today)
        for finding in check(find_project([tree]), request).findings:
            yield Said(f"{finding.check}[{finding.location.symbol}]", finding.message, False)

    def run(self, sandbox: Sandbox, tree: str, units: Sequence[str]) -> Iterator[Said]:
        """Yield what becomes of some units."""
        jobs = [
            Job(unit, f"{TRIAL}:judge", {"tree": tree, "unit": unit})
            for unit in units
            if unit.partition("[")[0] not in self.rules
        ]
        yield from self.outcomes(sandbox, jobs)

    def ask(self, sandbox: Sandbox, tree: str) -> Iterator[Said]:
        """Yield what breaks on any subject."""
        (known,) = sandbox.run([Job("names", f"{TRIAL}:names", {"tree": self.sound})])
        if not isinstance(known.ending, Returned):
            raise Stale(f"{known}")
        names = msgspec.convert(known.ending.value, list[str])
        jobs = [Job(n, f"{TRIAL}:survey", {"tree": tree, "subject": n}) for n in names]
        yield from self.outcomes(sandbox, jobs)

    def outcomes(self, sandbox: Sandbox, jobs: list[Job]) -> Iterator[Said]:
        """Yield what the jobs said, in their order; one that was killed says by what."""
        ended = {outcome.job: outcome for outcome in sandbox.run(jobs)} if jobs else {}
        for job in jobs:
            ending = ended[job.name].ending
            if isinstance(ending, Killed):
                yield Said(f"{job.name} {ending.signal}", f"{ending}", False)
            elif not isinstance(ending, Returned):
                raise Stale(f"{ended[job.name]}\n{ended[job.name].output}")
            else:
                said = ending.value if isinstance(ending.value, list) else [ending.value]
                for record in msgspec.convert(said, list[dict[str, str]]):
                    what = f"{record['unit']} {record['code']}"
                    yield Said(what, record["message"], record["verdict"] in SILENT)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
