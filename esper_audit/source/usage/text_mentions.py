"""Mentions of names in text: in strings of the code, in documentation, in configuration files."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from esper_audit.project.file_roles import Role
from esper_audit.source.syntax.ast_walk import walk

if TYPE_CHECKING:
    from esper_audit.source.index.index import Index
    from esper_audit.source.syntax.source import Source

WORD = re.compile(r"[A-Za-z_]\w+")
SUFFIXES = (
    ".md", ".rst", ".txt", ".toml", ".yaml", ".yml", ".cfg", ".ini", ".json", ".sh", ".ipynb", ".gin",
)  # fmt: skip
LARGEST_FILE = 256 * 1024
MOST_FILES = 3000
DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


class TextMentions:
    """Determines whether text mentions a name."""

    def __init__(self, index: Index, source_of: Callable[[str], Source | None]) -> None:
        self._index = index
        self._source_of = source_of
        self._in_strings: dict[str, frozenset[str]] = {}

    def has(self, word: str) -> bool:
        """Return whether a string of the program (docstrings aside) or a file beside it contains a word."""
        if self.has_beside(word):
            return True
        paths = self._index.store.paths_with(word)
        return any(word in self._strings(path) for path in paths)

    def has_beside(self, word: str) -> bool:
        """Return whether documentation or configuration contains a word."""
        return word in self._beside

    def _strings(self, path: str) -> frozenset[str]:
        """Return the words in the strings of a file that is no test."""
        if path not in self._in_strings:
            module, source = self._index.store.module(path), self._source_of(path)
            is_test = module is not None and module.role is Role.TEST
            words = _words(source.tree) if source is not None and not is_test else ()
            self._in_strings[path] = frozenset(words)
        return self._in_strings[path]

    @cached_property
    def _beside(self) -> frozenset[str]:
        """The words of documentation and configuration. The files are added to `files_read`."""
        found: set[str] = set()
        for path in _files(self._index.directories, self._index.output_directories):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    found.update(WORD.findall(file.read()))
            except OSError:
                continue  # a file that was removed since it was listed mentions nothing
            self._index.files_read.append(path)
        return frozenset(found)


def _files(directories: list[str], books: list[str]) -> list[str]:
    """Return the files that may name something: small ones, outside of what this program writes itself."""
    found: list[str] = []
    for directory in directories:
        if any(f"{directory}/".startswith(f"{book}/") for book in books):
            continue
        with os.scandir(directory) as entries:
            named = (entry for entry in entries if entry.name.endswith(SUFFIXES))
            found += [e.path for e in named if e.is_file() and e.stat().st_size < LARGEST_FILE]
    return sorted(found)[:MOST_FILES]


def _words(tree: ast.Module) -> Iterator[str]:
    docstrings = {id(_docstring(node)) for node in walk(tree) if isinstance(node, DOCUMENTED)}
    for node in walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield from WORD.findall(node.value) if isinstance(node.value, str) else ()


def _docstring(node: ast.AST) -> ast.expr | None:
    assert isinstance(node, DOCUMENTED)
    first = node.body[0] if node.body else None
    return first.value if isinstance(first, ast.Expr) else None
