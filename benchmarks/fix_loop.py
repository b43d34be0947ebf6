"""Apply the safe fixes to copies of real files and verify the result of each file.

A file is right if it parses, if the finding of each fix is gone and no other finding has come, if
nothing outside the fixed statements changed, and if a second run changes nothing. The status is 1 if a
file is wrong.

With `--plant` each file first gets defects that safe fixes repair, in its own layout: a shared default
in the signature of its first functions, and a repeated half of its first conditions.

    python benchmarks/fix_loop.py DIRECTORY... [--files 200] [--unsafe] [--plant]
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from esper_audit.engine.file_checker import check_source
from esper_audit.engine.fixes import apply_edits
from esper_audit.engine.triggers import TriggerTable
from esper_audit.findings.finding import Finding
from esper_audit.rules.registry import discover
from esper_audit.source.syntax.source import Source, parse

ROUNDS = 10
PLANTED = 3
OPTIONS = {"redundant-condition": {"restated": True}}  # a kind of defect that is planted


class FixedSource:
    """A file with the findings that have a fix, before and after."""

    def __init__(self, path: str, table: TriggerTable, *, unsafe: bool, plant: bool) -> None:
        self.path = path
        self._table = table
        self._unsafe = unsafe
        with open(path, "rb") as file:
            self.before = file.read()
        if plant:
            self.before = planted(self.before.decode()).encode()
        self.fixable = self.findings(self.before)

    def findings(self, data: bytes) -> list[Finding]:
        """Return the findings of a text that have a fix which is applied."""
        source = parse("file.py", data)
        found = check_source(source, self._table).findings if isinstance(source, Source) else []
        return [f for f in found if f.edit is not None and (f.edit.safe or self._unsafe)]

    def fixed(self, data: bytes) -> bytes:
        """Return a text after its fixes, applied until none is left."""
        for _ in range(ROUNDS):
            edits = [f.edit for f in self.findings(data) if f.edit is not None]
            after = apply_edits(data.decode(), edits).encode()
            if after == data:
                break
            data = after
        return data

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the fixed file."""
        after = self.fixed(self.before)
        try:
            ast.parse(after)
        except SyntaxError as error:
            yield f"does not parse: {error}"
            return
        if self.findings(after):
            yield f"{len(self.findings(after))} findings are left"
        if self.fixed(after) != after:
            yield "a second run changes it"
        yield from self._changed_elsewhere(after)

    def _changed_elsewhere(self, after: bytes) -> Iterator[str]:
        """Yield the changed lines that lie outside of every edit."""
        old, new = self.before.decode().splitlines(), after.decode().splitlines()
        spans = [(f.edit.line, f.edit.end_line) for f in self.fixable if f.edit is not None]
        for tag, first, last, _, _ in difflib.SequenceMatcher(
            None, old, new, autojunk=False
        ).get_opcodes():
            lines = range(first + 1, max(last, first + 1) + 1) if tag != "equal" else ()
            for line in lines:
                if not any(start - 1 <= line <= end + 1 for start, end in spans):
                    yield f"line {line} changed, which no fix is about"


def planted(text: str) -> str:
    """Return a text with a shared default and a repeated condition in its first functions."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return text
    lines = text.splitlines(keepends=True)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    edits: list[tuple[int, int, str]] = []
    for function in functions[:PLANTED]:
        edits += _shared_default(function)
    tests = [n for n in ast.walk(tree) if isinstance(n, ast.If) and _is_none_test(n.test)]
    for outer in tests[:PLANTED]:
        first = outer.body[0]
        if isinstance(first, ast.If) and not isinstance(first.test, ast.BoolOp):
            half = ast.unparse(outer.test)
            edits.append((first.test.lineno, first.test.col_offset, f"{half} and "))
    for line, column, new in sorted(set(edits), reverse=True):
        data = lines[line - 1].encode()
        lines[line - 1] = (data[:column] + new.encode() + data[column:]).decode()
    changed = "".join(lines)
    return changed if is_parsed(changed) else text


def is_parsed(text: str) -> bool:
    """Return whether a text is Python."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _shared_default(function: ast.FunctionDef) -> list[tuple[int, int, str]]:
    """Return the insertions that give a function a default that it changes."""
    given, first = function.args, function.body[0]
    if given.vararg or given.kwonlyargs or given.kwarg or not given.args:
        return []
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = function.body[1:] if is_docstring else function.body
    last = max(
        [*given.args, *given.defaults], key=lambda n: (n.end_lineno or 0, n.end_col_offset or 0)
    )
    if not body or body[0].lineno <= (last.end_lineno or 0):
        return []
    indent = " " * body[0].col_offset
    return [
        (last.end_lineno or 0, last.end_col_offset or 0, ", planted=[]"),
        (body[0].lineno, body[0].col_offset, f"planted.append(1)\n{indent}"),
    ]


def _is_none_test(test: ast.expr) -> bool:
    is_one = isinstance(test, ast.Compare) and isinstance(test.left, ast.Name)
    return is_one and ast.unparse(test).endswith(" is not None")


def python_files(directories: Sequence[str]) -> Iterator[str]:
    """Yield the Python files below directories, sorted."""
    for directory in directories:
        for folder, _, names in sorted(os.walk(directory)):
            yield from (
                os.path.join(folder, name) for name in sorted(names) if name.endswith(".py")
            )


def main() -> int:
    """Print each file that is wrong, and how many fixes each rule made."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directories", nargs="+")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--unsafe", action="store_true")
    parser.add_argument("--plant", action="store_true")
    asked = parser.parse_args()
    rules = discover().values()
    options = {rule.id: msgspec.convert(OPTIONS.get(rule.id, {}), rule.Options) for rule in rules}
    table = TriggerTable.of([rule(options[rule.id]) for rule in rules])
    made: Counter[str] = Counter()
    checked = wrong = 0
    for path in python_files(asked.directories):
        try:
            fixed = FixedSource(path, table, unsafe=asked.unsafe, plant=asked.plant)
        except UnicodeDecodeError:
            continue
        if not fixed.fixable:
            continue
        checked += 1
        made.update(finding.check for finding in fixed.fixable)
        for problem in fixed.problems():
            wrong += 1
            print(f"{path}: {problem}")
        if checked == asked.files:
            break
    for check, count in made.most_common():
        print(f"{count:5} {check}")
    print(f"{checked} files with fixes, {wrong} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
