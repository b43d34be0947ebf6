"""Mutants of esper_ref: each one-line defect of `mutants.toml` must be caught by the check that it names.

    python benchmarks/mutants.py                      # a table of mutant, file and catching check
    python benchmarks/mutants.py drop-the-detach ...  # some of the mutants
    python benchmarks/mutants.py --all ...            # run every check on each mutant

A defect is applied to a copy of esper_ref. Rules read the copy, and every unit of a probe runs in a sandbox
process of its own that imports the copy. Exit status 1: a mutant was not caught, or by another check than
the named one. 2: a mutant does not apply, or names an unknown check.
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
    """A changed line of `file`, and the checks that must catch it.

    `was` is source that the file contains once. `becomes` replaces at most one line of it, by one or more.
    `caught_by` holds `probe[subject@state] detector` or `rule[symbol]`. `equivalent` is the reason why the
    mutant changes no behaviour.
    """

    name: str
    file: str
    was: str
    becomes: str
    caught_by: list[str] = []
    equivalent: str = ""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All mutants of a file."""

    mutant: list[Mutant]


class Stale(Exception):
    """The table does not match the library and must be corrected."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="mutants to run (default: all)")
    parser.add_argument(
        "--all", action="store_true", help="run every check, not only the named ones"
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
    """Return the mutants of a file.

    Raise Stale if one does not apply.
    """
    mutants = msgspec.convert(tomllib.loads(table.read_text(encoding="utf-8")), Table).mutant
    problems = [problem for mutant in mutants for problem in problems_of(mutant)]
    twice = {m.name for m in mutants if [n.name for n in mutants].count(m.name) > 1}
    problems += [f"{name}: duplicate name" for name in sorted(twice)]
    if problems:
        raise Stale("\n".join(problems))
    return mutants


def problems_of(mutant: Mutant) -> Iterator[str]:
    """Yield the reasons why a mutant cannot be made, or would prove nothing."""
    before, after = (text.splitlines() for text in (mutant.was, mutant.becomes))
    while before and after and before[0] == after[0]:
        del before[0], after[0]
    while before and after and before[-1] == after[-1]:
        del before[-1], after[-1]
    if len(before) > 1:
        yield f"{mutant.name}: replaces too many lines of {mutant.file} (got {len(before)}, expected at most 1)"
    if not (before or after):
        yield f"{mutant.name}: changes nothing"
    if bool(mutant.caught_by) == bool(mutant.equivalent):
        yield f"{mutant.name}: exactly one of `caught-by` and `equivalent` is required"
    path = LIBRARY / mutant.file
    times = path.read_text(encoding="utf-8").count(mutant.was) if path.is_file() else 0
    if times != 1:
        yield (
            f"{mutant.name}: {mutant.file} contains its source {times} times (expected 1). "
            "Update the table"
        )


def chosen(mutants: list[Mutant], names: Sequence[str]) -> list[Mutant]:
    known = [mutant.name for mutant in mutants]
    for name in names:
        if name not in known:
            raise Stale(f"unknown mutant {name!r}{did_you_mean(name, known)}")
    return [mutant for mutant in mutants if not names or mutant.name in names]


class CheckOutput(msgspec.Struct, frozen=True):
    """The output of a check: `what` has the form of `caught_by`, and `holds` means that nothing is wrong."""

    what: str
    message: str
    holds: bool


class Trials:
    """A folder of mutated copies, and the checks that run on them."""

    def __init__(self, folder: Path, mutants: list[Mutant], workers: int, everything: bool) -> None:
        self.folder, self.mutants, self.everything = folder, mutants, everything
        self.workers = workers
        self.rules = set(discover())
        self.sound = self.copy("sound")

    def copy(self, name: str, mutant: Mutant | None = None) -> str:
        """Return a folder with a copy of the library, with the defect of a mutant if one is given."""
        tree = self.folder / name
        shutil.copytree(LIBRARY, tree / "esper_ref", ignore=shutil.ignore_patterns("__pycache__"))
        (tree / "esper-audit.toml").write_text('profile = "strict"\n', encoding="utf-8")
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
            self.require_silent_checks(sandbox)
            print("| mutant | file | caught by |\n| --- | --- | --- |")
            for mutant in self.mutants:
                wrong, row = self.row(sandbox, mutant)
                escaped += wrong
                print(f"| {mutant.name} | {mutant.file} | {row} |", flush=True)
                silent += not wrong and bool(mutant.equivalent)
        caught = len(self.mutants) - escaped - silent
        print(f"\n{caught} caught, {escaped} not as named, {silent} equivalent")
        return int(escaped > 0)

    def require_silent_checks(self, sandbox: Sandbox) -> None:
        """Raise Stale if a named check already reports something on the unchanged library."""
        expected = {check.partition(" ")[0] for m in self.mutants for check in m.caught_by}
        found = [*self.read(self.sound, "."), *self.run(sandbox, self.sound, sorted(expected))]
        reported = [f"{output.what}: {output.message}" for output in found if not output.holds]
        if reported:
            raise Stale("checks fail on the unchanged library:\n" + "\n".join(reported))

    def row(self, sandbox: Sandbox, mutant: Mutant) -> tuple[bool, str]:
        """Return whether a mutant was not caught as named, and its cell in the table."""
        tree = self.copy(mutant.name, mutant)
        found = list(self.read(tree, mutant.file))
        if self.everything:
            found += self.survey(sandbox, tree)
        else:
            found += self.run(
                sandbox, tree, [named.partition(" ")[0] for named in mutant.caught_by]
            )
        shutil.rmtree(tree)
        reported = {output.what: output.message for output in found if not output.holds}
        if mutant.equivalent:
            return bool(reported), "; ".join(reported) or f"equivalent: {mutant.equivalent}"
        missing = [named for named in mutant.caught_by if named not in reported]
        if not missing:
            return False, "; ".join(reported if self.everything else mutant.caught_by)
        outputs = "; ".join(f"{o.what} ({o.message})" for o in found) or "nothing"
        return True, f"**NOT by {', '.join(missing)}**, which reported: {outputs}"

    def read(self, tree: str, file: str) -> Iterator[CheckOutput]:
        """Yield the findings of the rules in a file of a tree."""
        path = os.path.normpath(os.path.join(tree, "esper_ref", file))
        today = f"{dt.datetime.now(dt.UTC).date()}"
        every = sorted(self.rules)  # some are off unless selected
        request = CheckRequest(
            paths=[path], select=every, jobs=1, cache=False, baseline=False, today=today
        )
        for finding in check(find_project([tree]), request).findings:
            yield CheckOutput(f"{finding.check}[{finding.location.symbol}]", finding.message, False)

    def run(self, sandbox: Sandbox, tree: str, units: Sequence[str]) -> Iterator[CheckOutput]:
        """Yield the outputs of some units."""
        jobs = [
            Job(unit, f"{TRIAL}:judge", {"tree": tree, "unit": unit})
            for unit in units
            if unit.partition("[")[0] not in self.rules
        ]
        yield from self.outcomes(sandbox, jobs)

    def survey(self, sandbox: Sandbox, tree: str) -> Iterator[CheckOutput]:
        """Yield the broken promises of all subjects."""
        (known,) = sandbox.run([Job("names", f"{TRIAL}:names", {"tree": self.sound})])
        if not isinstance(known.ending, Returned):
            raise Stale(f"{known}")
        names = msgspec.convert(known.ending.value, list[str])
        jobs = [Job(n, f"{TRIAL}:survey", {"tree": tree, "subject": n}) for n in names]
        yield from self.outcomes(sandbox, jobs)

    def outcomes(self, sandbox: Sandbox, jobs: list[Job]) -> Iterator[CheckOutput]:
        """Yield the outputs of the jobs in order.

        That of a killed job names the signal.
        """
        ended = {outcome.job: outcome for outcome in sandbox.run(jobs)} if jobs else {}
        for job in jobs:
            ending = ended[job.name].ending
            if isinstance(ending, Killed):
                yield CheckOutput(f"{job.name} {ending.signal}", f"{ending}", False)
            elif not isinstance(ending, Returned):
                raise Stale(f"{ended[job.name]}\n{ended[job.name].output}")
            else:
                records = ending.value if isinstance(ending.value, list) else [ending.value]
                for record in msgspec.convert(records, list[dict[str, str]]):
                    what = f"{record['unit']} {record['code']}"
                    yield CheckOutput(what, record["message"], record["verdict"] in SILENT)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
