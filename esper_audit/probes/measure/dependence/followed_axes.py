"""Which axes of an output follow which axis of the inputs, found by running with one more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.measure.output_tree import named_tensors
from esper_audit.probes.recipes.subject import Discovered
from esper_audit.probes.recipes.values import tensors_in

MOST_AXES = 3


@dataclass(frozen=True)
class FollowedAxis:
    """An axis of the inputs, its size, and by path the axis of each output that follows it."""

    axis: int
    size: int
    outputs: dict[str, int]


def followed_axes(subject: Discovered, module: nn.Module) -> list[FollowedAxis]:
    """Return the axes of the first input that an output follows: batches, lengths, sides."""
    tensors = tensors_in(subject.recipe.call)
    if not tensors:
        return []
    found = [
        _followed(subject, module, axis) for axis in range(min(MOST_AXES, len(tensors[0].shape)))
    ]
    return [one for one in found if one is not None]


def has_single_output(subject: Discovered) -> bool:
    """Return whether a call returns a tensor rather than a tree of them."""
    return isinstance(subject.evaluate(subject.build(), subject.arguments_of_call()), Tensor)


def _followed(subject: Discovered, module: nn.Module, axis: int) -> FollowedAxis | None:
    size = tensors_in(subject.recipe.call)[0].shape[axis]
    longer = replace(subject, recipe=subject.recipe.resized(axis, size, size + 1))
    try:
        short = named_tensors(subject.evaluate(module, subject.arguments_of_call()))
        long = named_tensors(longer.evaluate(module, longer.arguments_of_call()))
    # A size that the module refuses is no axis that it follows.
    except FAILURES:
        return None
    outputs: dict[str, int] = {}
    for path, tensor in short.items():
        changed = _grown_axis(tensor.shape, long[path].shape, size) if path in long else None
        if changed is not None:
            outputs[path] = changed
    return FollowedAxis(axis, size, outputs) if outputs else None


def _grown_axis(short: torch.Size, long: torch.Size, size: int) -> int | None:
    """Return the one axis that grew from `size` to one more, if the others are equal."""
    if len(short) != len(long):
        return None
    changed = [n for n, (a, b) in enumerate(zip(short, long, strict=True)) if a != b]
    if len(changed) != 1 or (short[changed[0]], long[changed[0]]) != (size, size + 1):
        return None
    return changed[0]
