"""The files of the tree as they are now: what happened to the old location of a finding, and which files moved."""

from __future__ import annotations

import ast
import enum
import os
from collections.abc import Iterable, Mapping
from itertools import pairwise

from esper_audit.findings.finding import NotAnalysed
from esper_audit.source.syntax.names import dotted
from esper_audit.source.syntax.source import Source, parse, read
from esper_audit.tracking.code_context import CodeScope, scopes_named
from esper_audit.tracking.context_hash import EDGE, ContextHash, short_hash
from esper_audit.tracking.observation import Observation


class OldLocationState(enum.IntEnum):
    """What happened to the location where a finding was, in the order of the evidence for a move.

    PRESENT: nothing suggests that the finding moved. NEIGHBOURS_GONE: its function is present without
    the neighbours. GAP_CLOSED: the neighbours are adjacent now. SCOPE_GONE: its function is gone.
    """

    PRESENT = 0
    NEIGHBOURS_GONE = 1
    GAP_CLOSED = 2
    SCOPE_GONE = 3


class CurrentTree:
    """The files below a root, read on first use.

    A file that does not parse counts as absent.

    `buffers` are contents to use instead of the files, by path.
    """

    def __init__(self, root: str, buffers: Mapping[str, bytes] | None = None) -> None:
        self._root = root
        self._buffers = buffers or {}
        self._sources: dict[str, Source | None] = {}
        self._scopes: dict[tuple[str, str], list[CodeScope]] = {}
        self._exists: dict[str, bool] = {}

    def source(self, path: str) -> Source | None:
        """Return a file as it is now, None if it is absent or not valid Python."""
        if path not in self._sources:
            self._sources[path] = self._read(path) if self.has_path(path) else None
        return self._sources[path]

    def has_path(self, path: str) -> bool:
        """Return whether a file exists, or a directory if the path ends with `/`."""
        if path not in self._exists:
            full = os.path.join(self._root, path)
            self._exists[path] = path in self._buffers or os.path.exists(full)
        return self._exists[path]

    def checked_files(self) -> list[str]:
        """Return the absolute path of every file that was read or looked up."""
        return [os.path.join(self._root, path) for path in self._exists if not path.endswith("/")]

    def checked_directories(self) -> list[str]:
        """Return the absolute path of every directory that was looked up."""
        return [os.path.join(self._root, path) for path in self._exists if path.endswith("/")]

    def scopes(self, path: str, symbol: str) -> list[CodeScope]:
        """Return the scopes with a dotted name in a file, empty if there is none."""
        if (path, symbol) not in self._scopes:
            source = self.source(path)
            found = [] if source is None else scopes_named(source.tree, symbol)
            self._scopes[path, symbol] = found
        return self._scopes[path, symbol]

    def old_location_state(
        self, old: Observation, path: str, *, new_symbol: str
    ) -> OldLocationState:
        """Return what happened to the location of an observation in the file `path`.

        The gap is closed if its neighbours are adjacent, or separated only by a call of the function
        `new_symbol` into which the code may have been extracted.
        """
        scopes, hashes = self.scopes(path, old.symbol), old.context_hash
        if not scopes:
            return OldLocationState.SCOPE_GONE
        neighbours = {hashes.before, hashes.after} if hashes else {""}
        if hashes is None or neighbours in ({""}, {EDGE}):
            return OldLocationState.PRESENT
        function = new_symbol.rpartition(".")[2]
        if any(_is_closed(scope, hashes, function) for scope in scopes):
            return OldLocationState.GAP_CLOSED
        present = {code for scope in scopes for block in scope.blocks for code in block.hashes}
        if neighbours & {*present, EDGE}:
            return OldLocationState.PRESENT
        return OldLocationState.NEIGHBOURS_GONE

    def variable_hashes(self, path: str, symbol: str) -> set[str]:
        """Return the short hashes of all variables in a scope."""
        return {short_hash(name) for scope in self.scopes(path, symbol) for name in scope.names}

    def _read(self, path: str) -> Source | None:
        data = self._buffers.get(path) or read(self._root, path)
        source = data if isinstance(data, NotAnalysed) else parse(path, data)
        return None if isinstance(source, NotAnalysed) else source


def _is_closed(scope: CodeScope, old: ContextHash, function: str) -> bool:
    """Return whether nothing, or only a call of a function, separates the old neighbours."""
    for block in scope.blocks:
        for at, (before, after) in enumerate(pairwise(block.hashes)):
            if before != old.before:
                continue
            if after == old.after:
                return True
            is_after_next = block.hashes[at + 2 : at + 3] == [old.after]
            if is_after_next and has_call_of(block.statements[at], function):
                return True
    return False


def has_call_of(statement: ast.stmt, name: str) -> bool:
    """Return whether a statement calls a function with this last name."""
    called = (dotted(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call))
    return bool(name) and any(path.rpartition(".")[2] == name for path in called)


class FileMoves:
    """Which files moved where, learnt from findings that were matched.

    A file that is gone moved to where its findings were matched. A file of a directory that is gone
    may also be at the same path below the directory to which other files of it moved.
    """

    def __init__(self, current_tree: CurrentTree) -> None:
        self._tree = current_tree
        self._files: set[tuple[str, str]] = set()
        self._directories: set[tuple[str, str]] = set()

    def learn(self, pairs: Iterable[tuple[Observation, Observation]]) -> bool:
        """Record the moves of matched findings, and return whether one of them was unknown."""
        before = len(self._files)
        for old, new in pairs:
            if old.path == new.path or self._tree.has_path(old.path):
                continue
            self._files.add((old.path, new.path))
            self._directories.update(
                (was, now)
                for was, now in _directories(old.path, new.path)
                if not self._tree.has_path(was)
            )
        return len(self._files) > before

    def origins(self, new: str) -> set[str]:
        """Return the old paths of a file, its own included."""
        sources = {was for was, now in self._files if now == new}
        sources |= {
            was + new.removeprefix(now) for was, now in self._directories if new.startswith(now)
        }
        return {new, *(old for old in sources if not self._tree.has_path(old))}

    def current_path(self, old: str, symbol: str) -> str:
        """Return the file that now holds a scope, the old path if none is known."""
        if self._tree.has_path(old):
            return old
        known = sorted(now for was, now in self._files if was == old)
        known += sorted(
            now + old.removeprefix(was) for was, now in self._directories if old.startswith(was)
        )
        return next((path for path in known if self._tree.scopes(path, symbol)), old)

    def is_same_file(self, old: str, new: str) -> bool:
        """Return whether the file `new` was, or contains a part of, the file `old`."""
        if old == new or (old, new) in self._files:
            return True
        return not self._tree.has_path(old) and any(
            old.startswith(was) and new == now + old.removeprefix(was)
            for was, now in self._directories
        )


def _directories(old: str, new: str) -> Iterable[tuple[str, str]]:
    """Yield pairs of directories, with `/` at the end, below which both paths are equal."""
    was, now = old.split("/"), new.split("/")
    for count in range(1, min(len(was), len(now)) + 1):
        if was[-count:] != now[-count:]:
            return
        head = was[:-count]
        if head:
            yield "/".join([*head, ""]), "/".join([*now[:-count], ""])
