"""Trees of arguments and outputs: the tensors in tuples, dictionaries, dataclasses and model outputs."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

DEEPEST = 8
DIFFERENT = "different"  # of a witness: the part of an output that differs
NOT_THE_VALUES = frozenset({"_batch_shape", "_event_shape", "_validate_args"})
OF_OTHERS = frozenset({"builtins", "torch", "numpy", "types", "collections"})
LAZY_MATRICES = "linear_operator"  # the package whose matrices gpytorch returns


def named_tensors(tree: Any) -> dict[str, Tensor]:
    """Return each tensor of a tree by its path, such as `[0].hidden`."""
    return dict(_walk(tree, "", 0))


def tensors_of(tree: Any) -> list[Tensor]:
    """Return the tensors of a tree in order."""
    return list(named_tensors(tree).values())


def _walk(tree: Any, path: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(tree, Tensor):
        yield path, tree
    elif is_lazy_matrix(tree):
        yield f"{path}.to_dense()", tree.to_dense()
    elif depth <= DEEPEST:
        for part, item in parts_of(tree):
            yield from _walk(item, path + part, depth + 1)


def parts_of(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a value, each with the text that reads it."""
    if isinstance(tree, Mapping):
        yield from ((f"[{key!r}]", item) for key, item in tree.items())
    elif isinstance(tree, (list, tuple)):
        yield from ((f"[{number}]", item) for number, item in enumerate(tree))
    elif isinstance(tree, Distribution):
        yield from ((f".{n}", v) for n, v in sorted(vars(tree).items()) if n not in NOT_THE_VALUES)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        yield from ((f".{f.name}", vars(tree).get(f.name)) for f in dataclasses.fields(tree))
    elif is_object(tree):
        yield from ((f".{name}", tensor) for name, tensor in object_tensors(tree).items())


def differs(one: Any, other: Any) -> bool:
    """Return whether two trees differ in any bit of a tensor, where NaN equals NaN."""
    return bool(first_difference(one, other))


def first_difference(one: Any, other: Any) -> str:
    """Return the path of the first tensor that differs, empty if none does."""
    ones, others = named_tensors(cloned(one)), named_tensors(cloned(other))
    if ones.keys() != others.keys():
        return "structure"
    for path, tensor in ones.items():
        if not is_same(tensor, others[path]):
            return f"output{path}"
    return ""


def is_same(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors are equal in shape, dtype and every bit, where NaN equals NaN."""
    if one.shape != other.shape or one.dtype != other.dtype or one.device != other.device:
        return False
    if one.layout is not torch.strided or one.is_quantized:
        return True  # nothing to compare bit by bit
    return torch.equal(one, other) or bool(torch.equal(one.nan_to_num(), other.nan_to_num()))


def is_lazy_matrix(value: object) -> bool:
    """Return whether a value is a matrix of the package `linear_operator`, which is no tensor."""
    package = sys.modules.get(LAZY_MATRICES)
    return package is not None and isinstance(value, vars(package)["LinearOperator"])


def is_object(tree: object) -> bool:
    """Return whether a value is an object of a class that is neither Python's nor torch's, or a namespace."""
    package = type(tree).__module__.partition(".")[0]
    is_foreign = package not in OF_OTHERS or isinstance(tree, SimpleNamespace)
    return is_foreign and "__dict__" in dir(tree) and not isinstance(tree, type)


def object_tensors(tree: Any) -> dict[str, Tensor]:
    """Return the tensors that an object holds as public attributes, for a module its parameters and buffers."""
    held = vars(tree)
    registered = {
        **held.get("_parameters", {}),
        **held.get("_buffers", {}),
    }
    named = sorted({**held, **registered}.items())
    return {n: v for n, v in named if isinstance(v, Tensor) and not n.startswith("_")}


def cloned(tree: Any) -> Any:
    """Return a tree with its tensors cloned, so that a later write does not reach the copy."""
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    is_opaque = is_lazy_matrix(tree) or isinstance(tree, Distribution)
    is_record = dataclasses.is_dataclass(tree) or isinstance(tree, (Mapping, list, tuple))
    if is_opaque or (is_object(tree) and not is_record):
        return {path: tensor.detach().clone() for path, tensor in named_tensors(tree).items()}
    if isinstance(tree, Mapping):
        return {key: cloned(item) for key, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [cloned(item) for item in tree]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {f.name: cloned(vars(tree).get(f.name)) for f in dataclasses.fields(tree)}
    return tree
