"""Edit a copy of a real package mechanically and count the tickets that stayed with their finding, and that did not.

`python benchmarks/identity_on_packages.py PACKAGE_DIRECTORY... [--seeds N]`

Every finding's line gets a comment with a number first (comments are no part of identity), so the truth
is known whatever is moved. Then, in one step: a directory is renamed, and ten times each a file and a
function are renamed, a variable of a function is renamed, a line is put into a function, a finding is
repaired, and a statement with a finding is copied into another function.
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from esper_audit.engine import pipeline
from esper_audit.findings.audit import Audit
from esper_audit.findings.contract import load_contracts
from esper_audit.findings.finding import Finding
from esper_audit.project.config import find_project
from esper_audit.tickets.ticket import Status, Ticket
from esper_audit.workflow.sync import sync

TODAY = "2026-01-01"
TIMES = 10
MARK = re.compile(r"#: (\S+)$")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def checked(root: Path) -> Audit:
    project = find_project([str(root)])
    return pipeline.check(project, pipeline.CheckRequest(today=TODAY, baseline=False, cache=False))


def mark(root: Path) -> None:
    """Put a number behind every line with a finding, where a comment may stand."""
    by_file = defaultdict(set)
    for finding in checked(root).findings:
        by_file[finding.location.path].add(finding.location.line)
    for path, lines in by_file.items():
        file = root / path
        text = file.read_text().split("\n")
        for line in sorted(lines):
            before = text[line - 1]
            text[line - 1] = f"{before}  #: {path}:{line}"
            if not parses("\n".join(text)):
                text[line - 1] = before
        file.write_text("\n".join(text))


def parses(text: str) -> bool:
    try:
        return ast.dump(ast.parse(text)) != ""
    except SyntaxError:
        return False


def names(root: Path, findings: list[Finding]) -> dict[str, str]:
    """Return the true name of every finding by fingerprint: its mark, check and number on the line."""
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for finding in findings:
        at = finding.location
        line = (root / at.path).read_text().split("\n")[at.line - 1]
        match = MARK.search(line)
        name = match[1] if match else "unmarked"
        found[finding.fingerprint] = f"{name} {finding.check} {seen[name, finding.check]}"
        seen[name, finding.check] += 1
    return {key: name for key, name in found.items() if not name.startswith("unmarked")}


class Editor:
    """Changes the files of a tree, whatever parses afterwards."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)
        self.done: Counter[str] = Counter()

    def work(self, findings: list[Finding]) -> None:
        places = sorted(
            {(f.location.path, f.location.symbol) for f in findings if f.location.symbol}
        )
        for what in (self.rename_function, self.rename_variable, self.add_line):
            for path, symbol in self.random.sample(places, min(TIMES, len(places))):
                self.edit(what.__name__, path, what, symbol)
        on_line = Counter((f.location.path, f.location.line) for f in findings)
        calls = [
            f
            for f in findings
            if f.check == "unauthorised-hasattr" and on_line[f.location.path, f.location.line] == 1
        ]
        broken = self.random.sample(calls, min(TIMES, len(calls)))
        repaired = {(finding.location.path, finding.location.symbol) for finding in broken}
        for finding in broken:
            code = finding.message.split(") ")[0] + ")"
            self.edit("repair", finding.location.path, self.repair, code)
        for number, finding in enumerate(self.random.sample(calls, min(TIMES, len(calls)))):
            # The same code in the same function again is a move within it, whoever wrote it.
            path, symbol = self.random.choice([place for place in places if place not in repaired])
            statement = finding.message.split(") ")[0] + ")"
            self.edit("copy", path, self.copy, (symbol, f"{statement}  #: new-{number}"))
        files = sorted({f.location.path for f in findings})
        for path in self.random.sample(files, min(TIMES, len(files))):
            (self.root / path).rename((self.root / path).with_name(f"{Path(path).stem}_moved.py"))
            self.done["rename_file"] += 1
        directories = sorted({str(Path(path).parent) for path in files} - {"."})
        directory = self.random.choice(directories)
        (self.root / directory).rename(self.root / f"{directory}_moved")
        self.done["rename_directory"] += 1

    def edit(
        self, name: str, path: str, change: Callable[..., str], *arguments: str | tuple[str, str]
    ) -> None:
        before = (self.root / path).read_text()
        after = change(before, *arguments)
        if after != before and parses(after):
            (self.root / path).write_text(after)
            self.done[name] += 1

    def rename_function(self, text: str, symbol: str) -> str:
        name = symbol.rpartition(".")[2]
        return (
            re.sub(rf"\b{name}\b(?!.*#: )", f"{name}_renamed", text)
            if not name.startswith("__")
            else text
        )

    def rename_variable(self, text: str, symbol: str) -> str:
        function = definition(text, symbol)
        if not isinstance(function, Function):
            return text
        variables = sorted(
            {a.arg for a in ast.walk(function) if isinstance(a, ast.arg)} - {"self", "cls"}
        )
        if not variables:
            return text
        name = self.random.choice(variables)
        lines = text.split("\n")
        for number in range(function.lineno - 1, function.end_lineno or 0):
            code, sign, rest = lines[number].partition("  #: ")
            lines[number] = (
                re.sub(rf"(?<![\w.'\"]){name}\b(?!['\"])", f"{name}_renamed", code) + sign + rest
            )
        return "\n".join(lines)

    def add_line(self, text: str, symbol: str, line: str = 'print("added")') -> str:
        function = definition(text, symbol)
        if function is None:
            return text
        first = function.body[-1]
        lines = text.split("\n")
        lines.insert(first.lineno - 1, " " * first.col_offset + line)
        return "\n".join(lines)

    def copy(self, text: str, what: tuple[str, str]) -> str:
        return self.add_line(text, *what)

    def repair(self, text: str, code: str) -> str:
        lines = text.split("\n")
        hits = [i for i, line in enumerate(lines) if code in line and "#: " in line]
        if not hits:
            return text
        hit = self.random.choice(hits)
        lines[hit] = lines[hit].replace(code, "repaired", 1)
        return "\n".join(lines)


def definition(
    text: str, symbol: str
) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | None:
    found: ast.AST | None = ast.parse(text)
    for name in symbol.split("."):
        inner = ast.walk(found) if found else iter(())
        found = next(
            (n for n in inner if isinstance(n, Function | ast.ClassDef) and n.name == name), None
        )
    return found if isinstance(found, Function | ast.ClassDef) else None


def measure(package: Path, seed: int) -> tuple[Counter[str], list[str]]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "tree"
        shutil.copytree(package, root, ignore=shutil.ignore_patterns("*.dist-info", "__pycache__"))
        (root / "esper-audit.toml").write_text("")
        mark(root)
        before = checked(root)
        contracts = load_contracts()
        first = sync({}, before, contracts, TODAY)
        truth = names(root, before.findings)
        owner = {
            truth[t.fingerprint]: t.id for t in first.tickets.values() if t.fingerprint in truth
        }
        editor = Editor(root, seed)
        editor.work(before.findings)
        after = checked(root)
        second = sync(first.tickets, after, contracts, TODAY)
        return judged(owner, names(root, after.findings), second.tickets, editor.done)


def judged(
    owner: Mapping[str, str],
    now: Mapping[str, str],
    tickets: Mapping[str, Ticket],
    done: Counter[str],
) -> tuple[Counter[str], list[str]]:
    counts: Counter[str] = Counter(done)
    said = []
    by_finding = {t.fingerprint: t for t in tickets.values() if t.status is not Status.FIXED}
    true_name = {ticket: name for name, ticket in owner.items()}
    for fingerprint, name in now.items():
        ticket = by_finding[fingerprint]
        if name in owner:
            verdict = (
                "kept"
                if ticket.id == owner[name]
                else "wrong"
                if ticket.id in true_name
                else "lost"
            )
        else:
            verdict = "wrong" if ticket.id in true_name else "new"
        counts[verdict] += 1
        if verdict in ("wrong", "lost"):
            why = [change.why for change in ticket.history]
            said.append(
                f"{verdict}: {name} has {ticket.id}, that of {true_name.get(ticket.id)}: {why[-1]}"
            )
    moved = sum(
        "the same finding moved" in change.why for t in tickets.values() for change in t.history
    )
    counts["tickets with a move in history"] = moved
    return counts, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for package in options.packages:
        for seed in range(options.seeds):
            counts, said = measure(package, seed)
            print(
                f"{package.name} {seed}: " + ", ".join(f"{n} {what}" for what, n in counts.items())
            )
            print("".join(f"  {line}\n" for line in said), end="")


if __name__ == "__main__":
    main()
