"""Recognising paths in forms, and finding the same files in the audited tree."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

PLACE = re.compile(
    r"(?P<path>[^\s:#`]+?)"
    r"(?:(?::|#)L?(?P<lines>\d+(?:\s*[-–]\s*L?\d+)?(?:,\s*\d+(?:-\d+)?)*)|::(?P<symbol>[\w.:]+(?:\[[^\]]*\])?))?"
)
FILE = re.compile(r"[\w~./\\*{}-]*[\w*}]\.[A-Za-z]\w{0,4}|[\w~.-]+(?:/[\w.*-]+)+/?")


class PathMap(msgspec.Struct, frozen=True):
    """The files of the tree by their last name, and configured prefixes of other trees with their replacement."""

    by_name: dict[str, tuple[str, ...]] = {}
    prefixes: tuple[tuple[str, str], ...] = ()

    def here(self, written: str) -> str:
        """Return the path in this tree for a written path, the written one if there is none.

        A configured prefix comes first. Otherwise it is the file with the longest common tail, unless
        several files have it, or the tail is `__init__.py` alone.
        """
        path = written.replace("\\", "/")
        named = self.by_name.get(path.rpartition("/")[2], ())
        if path in named:
            return path
        for old, new in self.prefixes:
            moved = _moved(path, old, new)
            if moved in named:
                return moved
        return _by_tail(path, named) or written


def path_map(files: Iterable[str], prefixes: Mapping[str, str]) -> PathMap:
    """Return the map for the files of a tree and a table of prefixes, longest first."""
    by_name: dict[str, list[str]] = {}
    for file in sorted(files):
        by_name.setdefault(file.rpartition("/")[2], []).append(file)
    ordered = sorted(prefixes.items(), key=lambda pair: (-len(pair[0]), pair[0]))
    return PathMap({name: tuple(all_of) for name, all_of in by_name.items()}, tuple(ordered))


def _by_tail(path: str, named: Sequence[str]) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".", "..", "~")]
    shared = {file: _shared_tail(parts, file.split("/")) for file in named}
    longest = max(shared.values(), default=0)
    best = [file for file, count in shared.items() if count == longest]
    is_specific = longest > 1 or (parts and parts[-1] != "__init__.py")
    return best[0] if len(best) == 1 and is_specific else ""


def _moved(path: str, old: str, new: str) -> str:
    """Return a path with a prefix replaced, at any place in it, empty if it is not in it."""
    at = f"/{path}/".find(f"/{old.strip('/')}/")
    if at < 0:
        return ""
    tail = path[at + len(old.strip("/")) :].lstrip("/") if at else path[len(old.strip("/")) :]
    return os.path.normpath(os.path.join(new, tail.strip("/"))).replace(os.sep, "/")


def _shared_tail(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
