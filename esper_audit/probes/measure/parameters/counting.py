"""Building a module in order to count its parameters."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from esper_audit.findings.errors import FAILURES

WIDEST_REAL = 512  # a real module of this width takes about a millisecond and a few megabytes


def build_for_count(build: Callable[[int], nn.Module], dim: int) -> nn.Module | None:
    """Return a module built on the meta device, else on the CPU, else None if it is too wide for that."""
    try:
        with torch.device("meta"):
            return build(dim)
    # A constructor that needs values (`.item()`, `.tolist()`) may raise anything on the meta device.
    except FAILURES:
        return build(dim) if dim <= WIDEST_REAL else None


def has_uninitialised_parameters(module: nn.Module) -> bool:
    """Return whether a parameter is lazy, and so has no shape before the first forward."""
    return any(is_lazy(parameter) for parameter in module.parameters())
