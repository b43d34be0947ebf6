"""The tree as it is now, asked about places where findings used to be: what became of them?"""

from __future__ import annotations

import ast
import enum
import os
from collections.abc import Iterable, Mapping
from itertools import pairwise

from esper_audit.findings.finding import NotAnalysed
from esper_audit.source.syntax.names import dotted
from esper_audit.source.syntax.source import Source, parse, read
from esper_audit.tracking.code_context import CodeScope, scopes_called
from esper_audit.tracking.context_hash import EDGE, ContextHash, piece_hash
from esper_audit.tracking.observation import Observation


class OldPlace(enum.IntEnum):
    """What became of the place where a finding was, from "no reason to think that it moved" on."""

    STANDS = 0
    BLOCK_LEFT = 1
    CLOSED = 2
    GONE = 3


class CurrentTree:
    """The files below a root, read when somebody asks; a file that does not parse is as if unread.

    `buffers` are texts that stand for files, by path.
    """

    def __init__(self, root: str, buffers: Mapping[str, bytes] | None = None) -> None:
        self._root = root
        self._buffers = buffers or {}
        self._sources: dict[str, Source | None] = {}
        self._scopes: dict[tuple[str, str], list[CodeScope]] = {}
        self._there: dict[str, bool] = {}

    def source(self, path: str) -> Source | None:
        """Return a file as it is now, None if it is not there or no Python."""
        if path not in self._sources:
            self._sources[path] = self._read(path) if self.has(path) else None
        return self._sources[path]

    def has(self, path: str) -> bool:
        """Return whether there is such a file, or directory if it ends with `/`."""
        if path not in self._there:
            full = os.path.join(self._root, path)
            self._there[path] = path in self._buffers or os.path.exists(full)
        return self._there[path]

    def files_asked_for(self) -> list[str]:
        """Return every file that was read or looked for, absolute."""
        return [os.path.join(self._root, path) for path in self._there if not path.endswith("/")]

    def directories_asked_for(self) -> list[str]:
        """Return every directory that was looked for, absolute."""
        return [os.path.join(self._root, path) for path in self._there if path.endswith("/")]

    def scopes(self, path: str, symbol: str) -> list[CodeScope]:
        """Return what is called by a dotted name in a file."""
        if (path, symbol) not in self._scopes:
            source = self.source(path)
            found = [] if source is None else scopes_called(source.tree, symbol)
            self._scopes[path, symbol] = found
        return self._scopes[path, symbol]

    def left(self, old: Observation, path: str, *, taken_in_by: str) -> OldPlace:
        """Say what became of the place of a finding that is no longer there, looked for in `path`.

        The place is closed if what stood before and after it stands side by side, or with nothing but
        a call of the function `taken_in_by` between.
        """
        scopes, seen = self.scopes(path, old.symbol), old.likeness
        if not scopes:
            return OldPlace.GONE
        beside = {seen.before, seen.after} if seen else {""}
        if seen is None or beside in ({""}, {EDGE}):
            return OldPlace.STANDS
        function = taken_in_by.rpartition(".")[2]
        if any(_is_closed(scope, seen, function) for scope in scopes):
            return OldPlace.CLOSED
        stand = {piece for scope in scopes for block in scope.blocks for piece in block.row}
        return OldPlace.STANDS if beside & {*stand, EDGE} else OldPlace.BLOCK_LEFT

    def names(self, path: str, symbol: str) -> set[str]:
        """Return the hashes of all variables that are mentioned in a scope."""
        return {piece_hash(name) for scope in self.scopes(path, symbol) for name in scope.names}

    def _read(self, path: str) -> Source | None:
        data = self._buffers.get(path) or read(self._root, path)
        source = data if isinstance(data, NotAnalysed) else parse(path, data)
        return None if isinstance(source, NotAnalysed) else source


def _is_closed(scope: CodeScope, seen: ContextHash, taken_in_by: str) -> bool:
    """Return whether nothing, or only a call of a function, stands where a finding stood."""
    for block in scope.blocks:
        row = block.row
        for at, (before, after) in enumerate(pairwise(row)):
            if before == seen.before and after == seen.after:
                return True
            beyond = row[at + 2 : at + 3]
            if (
                before == seen.before
                and beyond == [seen.after]
                and calls(block.statements[at], taken_in_by)
            ):
                return True
    return False


def calls(statement: ast.stmt, name: str) -> bool:
    """Return whether something of this last name is called in a statement."""
    called = (dotted(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call))
    return bool(name) and any(path.rpartition(".")[2] == name for path in called)


class FileMoves:
    """Which present file stands for one that is gone.

    A file that is gone is looked for where findings of it have been recognised; a file of a directory
    that is gone, also at the same place in the directory that others of it went to.
    """

    def __init__(self, present: CurrentTree) -> None:
        self._present = present
        self._files: set[tuple[str, str]] = set()
        self._directories: set[tuple[str, str]] = set()

    def learn(self, pairs: Iterable[tuple[Observation, Observation]]) -> bool:
        """Take note of where findings went; say whether that was news."""
        before = len(self._files)
        for old, new in pairs:
            if old.path == new.path or self._present.has(old.path):
                continue
            self._files.add((old.path, new.path))
            self._directories.update(
                (was, now)
                for was, now in _directories(old.path, new.path)
                if not self._present.has(was)
            )
        return len(self._files) > before

    def origins(self, new: str) -> set[str]:
        """Return the files that a present file is known to hold, or be."""
        back = {was for was, now in self._files if now == new}
        back |= {
            was + new.removeprefix(now) for was, now in self._directories if new.startswith(now)
        }
        return {new, *(old for old in back if not self._present.has(old))}

    def present_file(self, old: str, symbol: str) -> str:
        """Return the file in which a scope has to be looked for; that of old, if it is anywhere known."""
        if self._present.has(old):
            return old
        known = sorted(now for was, now in self._files if was == old)
        known += sorted(
            now + old.removeprefix(was) for was, now in self._directories if old.startswith(was)
        )
        return next((path for path in known if self._present.scopes(path, symbol)), old)

    def same_file(self, old: str, new: str) -> bool:
        """Return whether a present file is the one that once had a path, or a part of it."""
        if old == new or (old, new) in self._files:
            return True
        return not self._present.has(old) and any(
            old.startswith(was) and new == now + old.removeprefix(was)
            for was, now in self._directories
        )


def _directories(old: str, new: str) -> Iterable[tuple[str, str]]:
    """Yield pairs of directories, `/` at the end, below which both paths go on alike."""
    was, now = old.split("/"), new.split("/")
    for count in range(1, min(len(was), len(now)) + 1):
        if was[-count:] != now[-count:]:
            return
        head = was[:-count]
        if head:
            yield "/".join([*head, ""]), "/".join([*now[:-count], ""])
