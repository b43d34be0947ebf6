"""The attribute by which two modules of one class and one state dict differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from esper_audit.probes.measure.output_tree import is_same

REGISTERED = frozenset({"_parameters", "_modules"})
DEEPEST = 4


def unequal_attribute(one: nn.Module, other: nn.Module) -> str:
    """Return the dotted name of the first attribute outside the state dict that holds other values.

    Looked at are tensors, arrays, numbers, lists and dictionaries of them, and modules in plain lists. Empty if
    none differs.
    """
    others = dict(other.named_modules())
    for prefix, part in one.named_modules():
        name = _unequal_in(part, others.get(prefix, part))
        if name:
            return f"{prefix}.{name}" if prefix else name
    return ""


def _unequal_in(part: nn.Module, other: nn.Module) -> str:
    own: dict[str, Any] = vars(part)
    saved = own["_buffers"].keys() - own["_non_persistent_buffers_set"]
    held: dict[str, Any] = {**own["_buffers"], **own}
    held_by_other = {**vars(other)["_buffers"], **vars(other)}
    for name, value in held.items():
        if name not in saved | REGISTERED | {"_buffers"} and not _is_equal(
            value, held_by_other.get(name), 0
        ):
            return name
    return ""


def _is_equal(one: Any, other: Any, depth: int) -> bool:
    """Return whether two values are equal as far as they are data."""
    if type(one) is not type(other) or depth > DEEPEST:
        return isinstance(one, type(None)) is isinstance(other, type(None))
    if isinstance(one, Tensor):
        return is_same(one, other)
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other))
    if isinstance(one, (int, float, str)):
        return bool(one == other) or one != one
    if isinstance(one, (list, tuple)):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_is_equal(a, b, depth + 1) for a, b in pairs)
    if isinstance(one, dict):
        return all(_is_equal(value, other.get(key), depth + 1) for key, value in one.items())
    if isinstance(one, nn.Module):
        states = zip(one.state_dict().values(), other.state_dict().values(), strict=False)
        return all(is_same(a, b) for a, b in states if isinstance(a, Tensor))
    return True
