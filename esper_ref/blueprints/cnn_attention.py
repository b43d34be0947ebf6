"""attention: squeeze and excitation, which weighs channels by what the whole picture holds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from esper_ref.blueprint import BlueprintRegistry


def param_count(dim: int) -> int:
    """Return 2 C r + C: the first Linear has no bias, the second has."""
    reduced = max(1, dim // 4)
    return 2 * dim * reduced + dim


@BlueprintRegistry.register("attention", topology="cnn", param_count=param_count)
class SqueezeExcitation(nn.Module):
    """x 2 sigmoid(expand(relu(squeeze(mean x)))) (Hu et al., 2018).

    With the last Linear at zero the factor is 2 sigmoid(0) = 1, exactly: the identity at birth.
    Without the 2 it would halve the features.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        reduced = max(1, dim // 4)
        self.squeeze = nn.Linear(dim, reduced, bias=False)
        self.expand = nn.Linear(reduced, dim)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        pooled = x.mean(dim=(2, 3))  # (batch, channels)
        squeezed = torch.relu(self.squeeze(pooled))  # (batch, reduced)
        weight = 2.0 * torch.sigmoid(self.expand(squeezed))  # (batch, channels)
        return x * weight[:, :, None, None].to(x.dtype)
