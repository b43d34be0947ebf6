"""conv_heavy: two 3 x 3 convolutions on a branch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from esper_ref.blueprint import BlueprintRegistry
from esper_ref.group_norm import group_norm


@BlueprintRegistry.register(
    "conv_heavy", topology="cnn", param_count=lambda dim: 18 * dim**2 + 5 * dim
)
class ConvHeavy(nn.Module):
    """x + scale relu(norm(conv(relu(norm(conv(x)))))), with scale 0 at birth."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(dim, dim, kernel_size=3, padding=1, bias=False)
        self.norm_1 = group_norm(dim)
        self.conv_2 = nn.Conv2d(dim, dim, kernel_size=3, padding=1, bias=False)
        self.norm_2 = group_norm(dim)
        self.scale = nn.Parameter(torch.zeros(dim, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        branch = torch.relu(self.norm_1(self.conv_1(x)))
        branch = torch.relu(self.norm_2(self.conv_2(branch)))
        return x + (self.scale * branch).to(x.dtype)
