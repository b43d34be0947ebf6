"""The axis of a subject's inputs that follows the size of the batch, wherever it is."""

from __future__ import annotations

import torch

from esper_audit.probes.subject.subject import Draw, Module

SIZES = (2, 3)


def batch_axis(subject: Module, dtype: torch.dtype | None = None) -> int | None:
    """Return the first axis of the inputs whose size is that of the batch, None if there is none."""
    draws = [Draw(subject.dims[0], batch=size, dtype=dtype) for size in SIZES]
    shapes = [subject.inputs(draw).shape for draw in draws]
    if len(shapes[0]) != len(shapes[1]):
        return None
    followed = [axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if sizes == SIZES]
    return followed[0] if followed else None
