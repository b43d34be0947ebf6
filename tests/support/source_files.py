"""The Python files of both packages, read and parsed once, and snippets in their form."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
PACKAGES = ("esper_audit", "esper_ref")
CASE_LISTS = {"VALID", "INVALID"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    """A Python file: its path from the root of the repository, and its text."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def folder(self) -> str:
        return self.path.parent.as_posix()

    @property
    def is_case_list(self) -> bool:
        """Return whether the file holds nothing but the cases of a rule."""
        return self.path.stem.endswith("_cases")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in self.nodes if isinstance(node, Function)]

    @cached_property
    def first_lines(self) -> list[tuple[Documented, str]]:
        """Each node that has a docstring, with the first line of it."""
        documented = [node for node in self.nodes if isinstance(node, Documented)]
        texts = [(node, ast.get_docstring(node)) for node in documented]
        return [(node, text.partition("\n")[0]) for node, text in texts if text]

    def at(self, line: int, text: str) -> str:
        """Return an offence in the form `path:line: text`."""
        return f"{self.path}:{line}: {text}"


Check = Callable[[SourceFile], Iterator[str]]


@cache
def package_files(package: str = "") -> tuple[SourceFile, ...]:
    """Return the files of one package, or of both; an empty package fails the test that reads it."""
    found: list[SourceFile] = []
    for name in (package,) if package else PACKAGES:
        paths = sorted((ROOT / name).rglob("*.py"))
        assert len(paths) > 40, f"{name}: {len(paths)} Python files; is the layout another one?"
        found += [
            SourceFile(PurePosixPath(path.relative_to(ROOT).as_posix()), path.read_text("utf-8"))
            for path in paths
        ]
    return tuple(found)


def snippet(text: str, path: str = "esper_audit/room/part.py") -> SourceFile:
    """Return a text as the file of a package, to prove a check on."""
    return SourceFile(PurePosixPath(path), text)


def offences(check: Check, files: Iterable[SourceFile]) -> str:
    """Return all offences that a check yields, one a line; an empty text where there is none."""
    return "\n".join(offence for file in files for offence in check(file))


def line_count(node: ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def case_lines(file: SourceFile) -> int:
    """Return how many lines the cases of a rule take."""
    return sum(
        line_count(node)
        for node in file.nodes
        if isinstance(node, ast.stmt) and is_case_assignment(node)
    )


def is_case_assignment(node: ast.AST) -> bool:
    """Return whether a node assigns VALID or INVALID."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return any(isinstance(target, ast.Name) and target.id in CASE_LISTS for target in targets)
