"""The usual inputs of modules: sequences of features, pictures, ids."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from esper_audit.probes.subject.subject import Draw


def sequences(draw: Draw) -> Tensor:
    """Return normally distributed features (batch, length, dim)."""
    return torch.randn(
        draw.batch, draw.length, draw.dim, generator=draw.generator(), dtype=torch.float64
    ).to(draw.dtype or torch.get_default_dtype())


def pictures(draw: Draw) -> Tensor:
    """Return normally distributed features (batch, dim, length, length - 1), not square so that axes differ."""
    size = (draw.batch, draw.dim, draw.length, max(1, draw.length - 1))
    values = torch.randn(size, generator=draw.generator(), dtype=torch.float64)
    return values.to(draw.dtype or torch.get_default_dtype())


def ids(vocabulary: int) -> Callable[[Draw], Tensor]:
    """Return a function that draws integer ids (batch, length) in [0, vocabulary)."""

    def drawn(draw: Draw) -> Tensor:
        return torch.randint(0, vocabulary, (draw.batch, draw.length), generator=draw.generator())

    return drawn
