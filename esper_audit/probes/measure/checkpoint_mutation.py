"""Mutations of a checkpoint: an entry removed, an entry added, another version number."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from torch import Tensor

ADDED = "added-by-the-probe"
Path = tuple[object, ...]


def without_one_entry(
    checkpoint: object, open_names: Collection[str]
) -> Iterator[tuple[str, object]]:
    """Yield (name, checkpoint) for each entry, with that entry removed."""
    for path in _mappings(checkpoint, open_names):
        for key in _at(checkpoint, path):
            fewer = _copied(checkpoint)
            del _at(fewer, path)[key]
            yield _path_text((*path, key)), fewer


def with_extra_entry(
    checkpoint: object, open_names: Collection[str]
) -> Iterator[tuple[str, object]]:
    """Yield (name, checkpoint) for each mapping, with an entry added: a tensor among tensors, else 0."""
    for path in _mappings(checkpoint, open_names):
        more = _copied(checkpoint)
        mapping = _at(more, path)
        value = next(iter(mapping.values()), 0)
        mapping[ADDED] = value.clone() if isinstance(value, Tensor) else 0
        yield _path_text(path), more


def with_other_version(checkpoint: object, entry: str) -> Iterator[tuple[str, object]]:
    """Yield (name, checkpoint) for each entry called `entry`, with its number increased by one."""
    for path in _mappings(checkpoint, ()):
        if entry in _at(checkpoint, path):
            other = _copied(checkpoint)
            _at(other, path)[entry] += 1
            yield _path_text((*path, entry)), other


def _copied(checkpoint: Any) -> Any:
    """Return a deep copy that shares the tensors, which take most of the time to copy."""
    return copy.deepcopy(checkpoint, {id(tensor): tensor for tensor in _tensors(checkpoint)})


def _tensors(value: object) -> Iterator[Tensor]:
    """Yield the tensors in nested mappings and sequences."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _mappings(checkpoint: object, open_names: Collection[str], path: Path = ()) -> Iterator[Path]:
    """Yield the path of each mapping, outermost first, except of those named in `open_names`."""
    if not isinstance(checkpoint, Mapping) or (path and path[-1] in open_names):
        return
    yield path
    for key, value in checkpoint.items():
        yield from _mappings(value, open_names, (*path, key))


def _at(checkpoint: Any, path: Path) -> Any:
    for key in path:
        checkpoint = checkpoint[key]
    return checkpoint


def _path_text(path: Path) -> str:
    return " > ".join(map(str, path)) or "top level"
