"""Drawing the parameters of a module anew, since at birth a zero hides all that it will ever do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from esper_audit.findings.errors import FAILURES

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
    """Return whether parameters wait for a first forward to have a shape, and so a number."""
    return any(is_lazy(parameter) for parameter in module.parameters())


# What is larger is no weight but a mask, kept where masks should not be kept.
LARGEST_WEIGHT = 1e3
BIRTH_DRAW = 0


def redrawable(module: nn.Module) -> Iterator[nn.Parameter]:
    """Yield what may be drawn anew: trainable, finite, of ordinary size. Never a buffer.

    Drawing a mask anew, wherever it is kept, makes a leak that was not there.
    """
    for parameter in module.parameters():
        if parameter.requires_grad and bool((parameter.abs() < LARGEST_WEIGHT).all()):
            yield parameter


def redraw(module: nn.Module, draw: int) -> None:
    """Draw the parameters anew, deterministically; draw 0 is birth and changes nothing.

    Odd draws have standard deviation 1/2, which saturates; even ones 1/sqrt(fan in), which does not.
    """
    if draw == BIRTH_DRAW:
        return
    generator = torch.Generator().manual_seed(draw)
    with torch.no_grad():
        for parameter in redrawable(module):
            fan_in = max(1, parameter[0].numel()) if parameter.dim() > 1 else 1
            deviation = 0.5 if draw % 2 else fan_in**-0.5
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(drawn * deviation)
