"""Newly built seeds: the identity or not, able to learn or not."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esper_audit.subject import Blueprint, pictures, promise, sequences


def add(host: Tensor, seed: Tensor, _fed: Tensor, alpha: Tensor) -> Tensor:
    return torch.lerp(host, seed, alpha)


def multiply(host: Tensor, seed: Tensor, fed: Tensor, alpha: Tensor) -> Tensor:
    return host * (1.0 + alpha * torch.tanh(seed - fed))


class ScaledBranch(nn.Module):
    """x + scale relu(norm(conv(x))): the zero is in a factor that stays linear on a live branch."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(dim, dim, 3, padding=1), nn.GroupNorm(1, dim)
        self.scale = nn.Parameter(torch.zeros(dim, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * torch.relu(self.norm(self.conv(x)))


class ZeroConvolution(nn.Module):
    """x + relu(norm(conv(x))) with a zero convolution: the identity, for ever."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(dim, dim, 3, padding=1), nn.GroupNorm(1, dim)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.norm(self.conv(x)))


class RandomConvolution(ScaledBranch):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.norm(self.conv(x)))


class SmallScale(ScaledBranch):
    """A scale of 1e-6 is small but not zero."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        nn.init.constant_(self.scale, 1e-6)


class RectifiedScale(ScaledBranch):
    """The gradient of a ReLU at zero is zero, and the scale starts at zero."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.scale) * torch.relu(self.norm(self.conv(x)))


class DetachedBranch(ScaledBranch):
    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x).detach() - x.detach()


class FrozenBranch(ScaledBranch):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.requires_grad_(False)


class DropsTheResidual(ScaledBranch):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.dropout(x, 0.1, self.training))


class Excitation(nn.Module):
    """x 2 sigmoid(expand(relu(squeeze(mean x)))) with `expand` at zero."""

    factor = 2.0

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.squeeze, self.expand = nn.Linear(dim, dim), nn.Linear(dim, dim)
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.squeeze(x.mean(dim=(2, 3))))
        return x * (self.factor * torch.sigmoid(self.expand(hidden)))[:, :, None, None]


class HalvingExcitation(Excitation):
    """Zeroed in the same way, but sigmoid(0) is one half."""

    factor = 1.0


class ExcitationOfZeros(Excitation):
    """Attention over channels with both layers zeroed and no bias, so that neither gets a gradient."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.squeeze = nn.Linear(dim, dim, bias=False)
        self.expand = nn.Linear(dim, dim, bias=False)
        for layer in (self.squeeze, self.expand):
            nn.init.zeros_(layer.weight)


class LowRank(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(dim, 4, bias=False), nn.Linear(4, dim, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(self.down(x))


class LowRankOfZeros(LowRank):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        nn.init.zeros_(self.down.weight)


class BranchAlone(LowRank):
    """A residual function, whose sum with the input is left to the caller, but blends do not add it."""

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.down(x))


class NormalisedDifference(nn.Module):
    """x + scale (norm(x) - x)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm, self.scale = nn.LayerNorm(dim), nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * (self.norm(x) - x)


class IdleWeight(nn.Module):
    """A weight that the forward does not use, which weight decay changes nevertheless."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.0 * self.weight[:, None, None]


class NoMoreThanDust(nn.Module):
    """A normalised direction: the gradient of the scale of its weight is rounding."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dim, 5))

    def forward(self, x: Tensor) -> Tensor:
        direction = self.weight / self.weight.norm(dim=1, keepdim=True)
        return x * direction.square().sum(dim=1)[:, None, None]


def seed(probe: str, build: Callable[[int], nn.Module]) -> Blueprint:
    is_text = build in (LowRank, LowRankOfZeros, BranchAlone, NormalisedDifference)
    return Blueprint(
        name=build.__name__,
        build=build,
        inputs=sequences if is_text else pictures,
        dims=(2, 8),
        blends={"add": add, "multiply": multiply},
        promises=[promise(probe)],
    )
