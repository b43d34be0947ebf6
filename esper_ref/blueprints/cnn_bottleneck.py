"""bottleneck: a 3 x 3 convolution in a quarter of the channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esper_ref.blueprint import BlueprintRegistry
from esper_ref.group_norm import group_norm


def param_count(dim: int) -> int:
    """Return C r + 9 r^2 + r C for the convolutions, 2 C for the norm and C for the scale."""
    reduced = max(1, dim // 4)
    return 2 * dim * reduced + 9 * reduced**2 + 3 * dim


@BlueprintRegistry.register("bottleneck", topology="cnn", param_count=param_count)
class Bottleneck(nn.Module):
    """x + scale relu(norm(expand(gelu(conv(gelu(reduce(x))))))), with scale 0 at birth.

    GELU inside, not ReLU: a single reduced channel that starts negative would be dead for ever.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        reduced = max(1, dim // 4)
        self.reduce = nn.Conv2d(dim, reduced, kernel_size=1, bias=False)
        self.conv = nn.Conv2d(reduced, reduced, kernel_size=3, padding=1, bias=False)
        self.expand = nn.Conv2d(reduced, dim, kernel_size=1, bias=False)
        self.norm = group_norm(dim)
        self.scale = nn.Parameter(torch.zeros(dim, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        narrow = F.gelu(self.conv(F.gelu(self.reduce(x))))  # (batch, reduced, height, width)
        branch = torch.relu(self.norm(self.expand(narrow)))  # (batch, channels, height, width)
        return x + (self.scale * branch).to(x.dtype)
