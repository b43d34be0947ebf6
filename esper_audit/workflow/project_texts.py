"""The texts of a project's files: as text, parsed, as tokens, and by the words in them, each read once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from esper_audit.claims.code_tokens import CodeTokens
from esper_audit.engine.pipeline import discover
from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.config import Project
from esper_audit.project.discovery import SUFFIXES
from esper_audit.source.syntax.source import Source, parse, read

WORD = re.compile(r"\w+")


class ProjectTexts:
    """The files of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._root = project.root
        self._sources: dict[str, Source | NotAnalysed] = {}
        self._texts: dict[str, str | None] = {}
        self._tokens: dict[str, CodeTokens | None] = {}

    @cached_property
    def files(self) -> Sequence[str]:
        """Every Python file that the project audits, relative to the root."""
        return discover(self._project, []).files

    def text(self, path: str) -> str | None:
        """Return the text of a file below the root, None if there is none."""
        if path not in self._texts:
            data = read(self._root, path) if self._is_below_root(path) else None
            text = data.decode("utf-8-sig", "replace") if isinstance(data, bytes) else None
            self._texts[path] = text
        return self._texts[path]

    def source(self, path: str) -> Source | NotAnalysed:
        """Return a parsed Python file, or the reason why it does not parse."""
        if path not in self._sources:
            data = read(self._root, path)
            self._sources[path] = data if isinstance(data, NotAnalysed) else parse(path, data)
        return self._sources[path]

    def code_tokens(self, path: str) -> CodeTokens | None:
        """Return the tokens of a file below the root, None if there is none."""
        if path not in self._tokens:
            text = self.text(path)
            is_python = path.endswith(SUFFIXES)
            tokens = CodeTokens(text, is_python=is_python) if text is not None else None
            self._tokens[path] = tokens
        return self._tokens[path]

    def files_with(self, words: Iterable[str]) -> list[str]:
        """Return the Python files that contain all of the words, none for no words."""
        found = [self._files_by_word.get(word, frozenset()) for word in words]
        return sorted(frozenset.intersection(*found)) if found else []

    @cached_property
    def _files_by_word(self) -> dict[str, frozenset[str]]:
        by_word: dict[str, set[str]] = {}
        for path in self.files:
            for word in set(WORD.findall(self.text(path) or "")):
                by_word.setdefault(word, set()).add(path)
        return {word: frozenset(paths) for word, paths in by_word.items()}

    def _is_below_root(self, path: str) -> bool:
        full = os.path.realpath(os.path.join(self._root, path))
        return os.path.isfile(full) and full.startswith(os.path.realpath(self._root) + os.sep)
