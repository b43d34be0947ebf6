"""conv_small: a 1 x 1 convolution, mixing channels in place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from esper_ref.blueprint import BlueprintRegistry
from esper_ref.group_norm import group_norm


@BlueprintRegistry.register("conv_small", topology="cnn", param_count=lambda dim: dim**2 + 3 * dim)
class ConvSmall(nn.Module):
    """x + scale relu(norm(conv(x))), with scale 0 at birth."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, kernel_size=1, bias=False)
        self.norm = group_norm(dim)
        self.scale = nn.Parameter(torch.zeros(dim, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        branch = torch.relu(self.norm(self.conv(x)))
        return x + (self.scale * branch).to(x.dtype)
