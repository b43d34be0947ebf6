"""Paths as forms write them, and where in this tree the same file is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

PLACE = re.compile(
    r"(?P<path>[^\s:#`]+?)"
    r"(?:(?::|#)L?(?P<lines>\d+(?:\s*[-–]\s*L?\d+)?(?:,\s*\d+(?:-\d+)?)*)|::(?P<symbol>[\w.:]+(?:\[[^\]]*\])?))?"  # noqa: RUF001  # people type both dashes
)
FILE = re.compile(r"[\w~./\\*{}-]*[\w*}]\.[A-Za-z]\w{0,4}|[\w~.-]+(?:/[\w.*-]+)+/?")


class PathMap(msgspec.Struct, frozen=True):
    """The files of the tree, and configured prefixes of other trees with what stands for them here."""

    files: tuple[str, ...] = ()
    prefixes: tuple[tuple[str, str], ...] = ()

    def here(self, written: str) -> str:
        """Return the path of this tree for a written one, or what was written.

        A configured prefix decides; else the file of the tree that shares the longest tail of the
        path, unless several share it.
        """
        path = written.replace("\\", "/")
        if path in self.files:
            return path
        for old, new in self.prefixes:
            moved = _moved(path, old, new)
            if moved in self.files:
                return moved
        return self._by_tail(path) or written

    def _by_tail(self, path: str) -> str:
        parts = [part for part in path.split("/") if part not in ("", ".", "..", "~")]
        shared = {file: _shared_tail(parts, file.split("/")) for file in self.files}
        longest = max(shared.values(), default=0)
        best = [file for file, count in shared.items() if count == longest]
        return best[0] if longest and len(best) == 1 and parts[-1] != "__init__.py" else ""


def path_map(files: Iterable[str], prefixes: Mapping[str, str]) -> PathMap:
    """Return the map for the files of a tree and a table of prefixes, longest first."""
    ordered = sorted(prefixes.items(), key=lambda pair: (-len(pair[0]), pair[0]))
    return PathMap(tuple(sorted(files)), tuple(ordered))


def is_path(text: str) -> bool:
    """Say whether a text is a path to a file or folder rather than a name of the code."""
    return bool(FILE.fullmatch(PLACE_TAIL.sub("", text)))


PLACE_TAIL = re.compile(r"(?:::.*|[:#]L?\d.*)$")


def _moved(path: str, old: str, new: str) -> str:
    """Return a path with a prefix, wherever in it that stands as whole parts, replaced."""
    at = f"/{path}/".find(f"/{old.strip('/')}/")
    if at < 0:
        return ""
    tail = path[at + len(old.strip("/")) :].lstrip("/") if at else path[len(old.strip("/")) :]
    return os.path.normpath(os.path.join(new, tail.strip("/"))).replace(os.sep, "/")


def _shared_tail(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
