"""Building a module in order to count it: on the meta device, which costs nothing at any width."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from esper_audit.rule import FAILURES

WIDEST_REAL = 512  # a real module of this width takes a millisecond and some megabytes


def built_to_count(build: Callable[[int], nn.Module], dim: int) -> nn.Module | None:
    """Build on the meta device, for real where that fails, not at all where that is too large."""
    try:
        with torch.device("meta"):
            return build(dim)
    # Whatever a constructor needs values for (`.item()`, `.tolist()`) fails on meta in its own way.
    except FAILURES:
        return build(dim) if dim <= WIDEST_REAL else None


def has_no_shape(module: nn.Module) -> bool:
    """Say whether parameters wait for a first forward to have a shape, and so a number."""
    return any(is_lazy(parameter) for parameter in module.parameters())
