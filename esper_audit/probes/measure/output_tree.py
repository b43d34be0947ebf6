"""Trees of arguments and outputs: the tensors in tuples, dictionaries, dataclasses and model outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

DEEPEST = 8


def named_tensors(tree: Any) -> dict[str, Tensor]:
    """Return each tensor of a tree by its path, such as `[0].hidden`."""
    return dict(_walk(tree, "", 0))


def tensors_of(tree: Any) -> list[Tensor]:
    """Return the tensors of a tree in order."""
    return list(named_tensors(tree).values())


def _walk(tree: Any, path: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(tree, Tensor):
        yield path, tree
    elif depth > DEEPEST:
        return
    elif isinstance(tree, Mapping):
        for key, item in tree.items():
            yield from _walk(item, f"{path}[{key!r}]", depth + 1)
    elif isinstance(tree, (list, tuple)):
        for number, item in enumerate(tree):
            yield from _walk(item, f"{path}[{number}]", depth + 1)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for field in dataclasses.fields(tree):
            yield from _walk(vars(tree).get(field.name), f"{path}.{field.name}", depth + 1)


def differs(one: Any, other: Any) -> bool:
    """Return whether two trees differ in any bit of a tensor, where NaN equals NaN."""
    return bool(first_difference(one, other))


def first_difference(one: Any, other: Any) -> str:
    """Return the path of the first tensor that differs, empty if none does."""
    ones, others = named_tensors(one), named_tensors(other)
    if ones.keys() != others.keys():
        return "structure"
    for path, tensor in ones.items():
        if not is_same(tensor, others[path]):
            return path or "output"
    return ""


def is_same(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are equal in shape, dtype and every bit, where NaN equals NaN."""
    if one.shape != other.shape or one.dtype != other.dtype or one.device != other.device:
        return False
    if one.layout is not torch.strided or one.is_quantized:
        return True  # nothing to compare bit by bit
    return torch.equal(one, other) or bool(torch.equal(one.nan_to_num(), other.nan_to_num()))


def cloned(tree: Any) -> Any:
    """Return a tree with its tensors cloned, so that a later write does not reach the copy."""
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, Mapping):
        return {key: cloned(item) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [cloned(item) for item in tree]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {f.name: cloned(vars(tree).get(f.name)) for f in dataclasses.fields(tree)}
    return tree
