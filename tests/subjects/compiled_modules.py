"""Modules that dynamo compiles into one graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class Linear(nn.Module):
    """A layer on tokens.

    Subclasses add an operation in `also`.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.also(self.linear(x))

    def also(self, x: Tensor) -> Tensor:
        return x


class Attention(Linear):
    def also(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, is_causal=True)


class DropsOut(Linear):
    def also(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.2, self.training)


class Normalised(Linear):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.norm = nn.BatchNorm1d(8)

    def also(self, x: Tensor) -> Tensor:
        return self.norm(x)


class Checkpointed(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.linear, x, use_reentrant=False)


class ChoosesByWhere(Linear):
    def also(self, x: Tensor) -> Tensor:
        return torch.where(x.mean() > 0, x, -x)


class BranchesOnShape(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x * 2.0 if x.shape[1] > 4 else x


class BranchesOnMode(Linear):
    def also(self, x: Tensor) -> Tensor:
        return x if self.training else x * 2.0


class Loops(Linear):
    def also(self, x: Tensor) -> Tensor:
        for power in range(3):
            x = x + x**power
        return x


class CountsInABuffer(Linear):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("count", torch.zeros(()))

    def also(self, x: Tensor) -> Tensor:
        self.count += 1
        return x * self.count


class ForgetsGradients(Linear):
    def also(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            scale = x.abs().amax()
        return x / scale


class Doubled(torch.autograd.Function):
    """A function with a custom backward."""

    @staticmethod
    def forward(_saved: object, x: Tensor) -> Tensor:
        return 2.0 * x

    @staticmethod
    def backward(_saved: object, gradient: Tensor) -> Tensor:
        return 2.0 * gradient


class HasABackward(Linear):
    def also(self, x: Tensor) -> Tensor:
        return Doubled.apply(x)


class FillsACache(Linear):
    """The first call creates state that the second finds: two graphs and no more."""

    mask: Tensor | None = None

    def also(self, x: Tensor) -> Tensor:
        if self.mask is None:
            self.mask = torch.ones(x.shape[1], 1)
        return x * self.mask


class AlphaInABuffer(Linear):
    """A schedule that advances between calls.

    Filled in place, it is data of the graph.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("alpha", torch.zeros(()))

    def also(self, x: Tensor) -> Tensor:
        return x * self.alpha

    def turn(self) -> None:
        self.alpha.add_(0.1)


class NothingToCompile(Linear):
    def forward(self, x: Tensor) -> Tensor:
        return x


SOUND = (
    Linear,
    Attention,
    DropsOut,
    Normalised,
    Checkpointed,
    ChoosesByWhere,
    BranchesOnShape,
    BranchesOnMode,
    Loops,
    CountsInABuffer,
    ForgetsGradients,
    HasABackward,
    FillsACache,
    NothingToCompile,
)
