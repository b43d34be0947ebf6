"""Mentions of names in text: in strings of the code, in documentation, in configuration files."""

from __future__ import annotations

import ast
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.file_roles import Role
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.syntax.source import Source, parse

if TYPE_CHECKING:
    from esper_audit.source.index.index import Index

WORD = re.compile(r"[A-Za-z_]\w+")
PROSE_SUFFIXES = (".md", ".rst", ".txt")
NOTEBOOK = ".ipynb"
SUFFIXES = (
    *PROSE_SUFFIXES, NOTEBOOK, ".toml", ".yaml", ".yml", ".cfg", ".ini", ".json", ".sh", ".gin",
)  # fmt: skip
COMMENT = re.compile(r"(?m)(^|\s)#.*$")
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]+ [a-z]+")  # three words in a row
LARGEST_FILE = 256 * 1024
MOST_FILES = 3000
DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


class Words(NamedTuple):
    """The words of a text: those of its code and values, and all of them, prose included."""

    code: frozenset[str]
    every: frozenset[str]


class NotebookCell(msgspec.Struct):
    """A cell of a notebook, as much of it as is needed here."""

    cell_type: str = ""
    source: list[str] | str = ""


class Notebook(msgspec.Struct):
    """A notebook, as much of it as is needed here."""

    cells: list[NotebookCell] = []


class TextMentions:
    """Determines whether text mentions a name.

    Prose may describe a private name but does not use it: `in_prose` is whether prose counts.
    """

    def __init__(self, index: Index, source_of: Callable[[str], Source | None]) -> None:
        self._index = index
        self._source_of = source_of
        self._in_strings: dict[str, Words] = {}

    def has(self, word: str, *, in_prose: bool) -> bool:
        """Return whether a string of the program (docstrings aside) or a file beside it contains a word."""
        if self.has_beside(word, in_prose=in_prose):
            return True
        paths = self._index.store.paths_with(word)
        return any(_contains(self._strings(path), word, in_prose=in_prose) for path in paths)

    def has_beside(self, word: str, *, in_prose: bool) -> bool:
        """Return whether documentation or configuration contains a word."""
        return _contains(self._beside, word, in_prose=in_prose)

    def _strings(self, path: str) -> Words:
        """Return the words in the strings of a file that is no test."""
        if path not in self._in_strings:
            module, source = self._index.store.module(path), self._source_of(path)
            is_test = module is not None and module.role is Role.TEST
            strings = _strings(source.tree) if source is not None and not is_test else ()
            self._in_strings[path] = _words((t, "" if _is_sentence(t) else t) for t in strings)
        return self._in_strings[path]

    @cached_property
    def _beside(self) -> Words:
        """The words of documentation and configuration. The files are added to `files_read`."""
        return _words(self._texts_beside())

    def _texts_beside(self) -> Iterator[tuple[str, str]]:
        """Yield the text of each file beside the code, and the part of it that is no prose."""
        for path in _files(self._index.directories, self._index.output_directories):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read()
            except OSError:
                continue  # a file that was removed since it was listed mentions nothing
            self._index.files_read.append(path)
            yield text, _code_of(path, text)


def _contains(words: Words, word: str, *, in_prose: bool) -> bool:
    return word in (words.every if in_prose else words.code)


def _words(texts: Iterable[tuple[str, str]]) -> Words:
    """Return the words of texts, each with the part of it that is no prose."""
    code: set[str] = set()
    every: set[str] = set()
    for text, part in texts:
        every.update(map(intern, WORD.findall(text)))
        code.update(map(intern, WORD.findall(part)))
    return Words(frozenset(code), frozenset(every))


def _code_of(path: str, text: str) -> str:
    """Return the part of a file that is no prose: the cells of a notebook, values without comments."""
    if path.endswith(PROSE_SUFFIXES):
        return ""
    if not path.endswith(NOTEBOOK):
        return COMMENT.sub("", text)
    try:
        cells = msgspec.json.decode(text, type=Notebook).cells
    except msgspec.DecodeError:
        return text  # it cannot be told apart, so all of it may be code
    return "\n".join("".join(cell.source) for cell in cells if cell.cell_type == "code")


def _is_sentence(text: str) -> bool:
    """Return whether a string is prose: three words in a row that are no code."""
    if SENTENCE.search(text) is None:
        return False
    code = textwrap.dedent(text).encode(errors="replace")
    return isinstance(parse("string", code), NotAnalysed)


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


def _strings(tree: ast.Module) -> Iterator[str]:
    """Yield the strings of a file, without its docstrings and without `__all__`, which calls nothing."""
    left_out = {id(_docstring(node)) for node in walk(tree) if isinstance(node, DOCUMENTED)}
    for statement in tree.body:
        if _is_export_list(statement):
            left_out.update(id(node) for node in walk(statement))
    for node in walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in left_out:
            yield from (node.value,) if isinstance(node.value, str) else ()


def _is_export_list(statement: ast.stmt) -> bool:
    """Return whether a statement sets or extends `__all__`."""
    if isinstance(statement, ast.Assign):
        targets: list[ast.expr] = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        targets = [statement.target]
    else:
        return False
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def _docstring(node: ast.AST) -> ast.expr | None:
    assert isinstance(node, DOCUMENTED)
    first = node.body[0] if node.body else None
    return first.value if isinstance(first, ast.Expr) else None
