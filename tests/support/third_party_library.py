"""A library that does not know the audit, with a registry of seeds and a slot."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Adapter(nn.Module):
    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, rank), nn.Linear(rank, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(self.down(x).tanh())


REGISTRY = {"small": 2, "large": 8}  # rank by name
COSTS = {"small": lambda d: 4 * d + d + 2, "large": lambda d: 16 * d + d + 8}


class Socket(nn.Module):
    """Trains a seed behind the host until `open` lets it in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.host, self.seed = nn.Linear(width, width), Adapter(width, 2)
        self.register_buffer("share", torch.zeros(()))

    def open(self, share: float) -> None:
        self.share.fill_(share)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.host(x))

    def join(self, h: Tensor) -> Tensor:
        s = self.seed(h.detach())
        if self.share == 0.0:
            return h + (s - s.detach())
        return torch.lerp(h, s, self.share)
