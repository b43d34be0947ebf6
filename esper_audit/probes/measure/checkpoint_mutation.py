"""Checkpoints that are not what was saved: an entry missing, one too many, another version."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

ADDED = "added-by-the-probe"
Path = tuple[object, ...]


def with_one_less(whole: object, free: Collection[str]) -> Iterator[tuple[str, object]]:
    """Yield the checkpoint without each of its entries in turn, with the entry's name."""
    for path in _mappings(whole, free):
        for key in _at(whole, path):
            fewer = copy.deepcopy(whole)
            del _at(fewer, path)[key]
            yield _named((*path, key)), fewer


def with_one_more(whole: object, free: Collection[str]) -> Iterator[tuple[str, object]]:
    """Yield the checkpoint with an entry added to each of its mappings in turn."""
    for path in _mappings(whole, free):
        more = copy.deepcopy(whole)
        _at(more, path)[ADDED] = 0
        yield _named(path), more


def with_another_version(whole: object, entry: str) -> Iterator[tuple[str, object]]:
    """Yield the checkpoint with another number in each of its entries of that name in turn."""
    for path in _mappings(whole, ()):
        if entry in _at(whole, path):
            other = copy.deepcopy(whole)
            _at(other, path)[entry] += 1
            yield _named((*path, entry)), other


def _mappings(whole: object, free: Collection[str], path: Path = ()) -> Iterator[Path]:
    """Yield the way to each mapping inside, the outermost first; those named `free` are left out."""
    if not isinstance(whole, Mapping) or (path and path[-1] in free):
        return
    yield path
    for key, value in whole.items():
        yield from _mappings(value, free, (*path, key))


def _at(whole: Any, path: Path) -> Any:
    for key in path:
        whole = whole[key]
    return whole


def _named(path: Path) -> str:
    return " > ".join(map(str, path)) or "the checkpoint itself"
