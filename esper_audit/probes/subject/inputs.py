"""The usual inputs of modules: features of sequences, pictures, ids."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from esper_audit.probes.subject.subject import Draw


def sequences(draw: Draw) -> Tensor:
    """Return normal features (batch, length, dim)."""
    return torch.randn(
        draw.batch, draw.length, draw.dim, generator=draw.generator(), dtype=torch.float64
    ).to(draw.dtype or torch.get_default_dtype())


def pictures(draw: Draw) -> Tensor:
    """Return normal features (batch, dim, length, length - 1): no square, so that axes differ."""
    size = (draw.batch, draw.dim, draw.length, max(1, draw.length - 1))
    values = torch.randn(size, generator=draw.generator(), dtype=torch.float64)
    return values.to(draw.dtype or torch.get_default_dtype())


def ids(vocabulary: int) -> Callable[[Draw], Tensor]:
    """Return inputs of ids (batch, length) below `vocabulary`."""

    def drawn(draw: Draw) -> Tensor:
        return torch.randint(0, vocabulary, (draw.batch, draw.length), generator=draw.generator())

    return drawn
