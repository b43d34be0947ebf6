"""norm: lets the features drift towards their normalised selves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from esper_ref.blueprint import BlueprintRegistry
from esper_ref.group_norm import group_norm


@BlueprintRegistry.register("norm", topology="cnn", param_count=lambda dim: 2 * dim + 1)
class FeatureMapNorm(nn.Module):
    """x + scale (norm(x) - x), with scale 0 at birth."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = group_norm(dim)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape.

        Contiguous, because GroupNorm's backward on CPU (torch 2.13) segfaults on a channels_last
        input that does not require grad.
        """
        shift: Tensor = self.norm(x.contiguous()) - x
        return x + (self.scale * shift).to(x.dtype)
