"""Drawing the parameters of a module anew, since zeros at birth hide effects."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

# A larger value is not a weight but a mask that was registered as a parameter.
LARGEST_WEIGHT = 1e3
BIRTH_DRAW = 0
DRAWS = (BIRTH_DRAW, 2)  # at birth, and drawn anew where zeros could hide an effect
# The lines of a program that draw the parameters anew.
REDRAWING = ("for p in module.parameters():", "    torch.nn.init.normal_(p, std=0.3)")


def redrawable(module: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the parameters that may be drawn anew: trainable, finite and of ordinary size.

    Masks are left out wherever they are stored, because a random mask would leak.
    """
    for parameter in module.parameters():
        if parameter.requires_grad and bool((parameter.abs() < LARGEST_WEIGHT).all()):
            yield parameter


def redraw(module: nn.Module, draw: int) -> None:
    """Draw the parameters anew from the seed `draw`.

    Draw 0 leaves them as initialised.
    Odd draws have standard deviation 1/2, which saturates; even ones have 1/sqrt(fan in), which does not.
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
