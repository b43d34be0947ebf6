"""norm: lets the features drift towards their normalised selves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from esper_ref.blueprint import BlueprintRegistry


@BlueprintRegistry.register("norm", topology="transformer", param_count=lambda dim: 2 * dim + 1)
class TokenNorm(nn.Module):
    """x + scale (norm(x) - x), with scale 0 at birth."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape, each token by itself."""
        shift: Tensor = self.norm(x) - x
        return x + (self.scale * shift).to(x.dtype)
