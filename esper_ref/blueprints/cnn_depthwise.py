"""depthwise: a 3 x 3 convolution of each channel alone, then a 1 x 1 that mixes them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from esper_ref.blueprint import BlueprintRegistry
from esper_ref.group_norm import group_norm


@BlueprintRegistry.register("depthwise", topology="cnn", param_count=lambda dim: dim**2 + 12 * dim)
class Depthwise(nn.Module):
    """x + scale relu(norm(mix(spread(x)))), with scale 0 at birth (Howard et al., 2017)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(dim, dim, kernel_size=3, padding=1, groups=dim, bias=False)
        self.mix = nn.Conv2d(dim, dim, kernel_size=1, bias=False)
        self.norm = group_norm(dim)
        self.scale = nn.Parameter(torch.zeros(dim, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        branch = torch.relu(self.norm(self.mix(self.spread(x))))
        return x + (self.scale * branch).to(x.dtype)
