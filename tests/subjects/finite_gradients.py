"""Modules with finite gradients at every edge, and modules that divide by zero in the backward pass."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from support.recipes import IDS, ROWS, SEQUENCES, discovered, discovered_function
from torch import Tensor, nn

from .cases import Case, broken, by_design, inconclusive, sound


class Guarded(nn.Module):
    """A norm with an epsilon under its root."""

    def forward(self, x: Tensor) -> Tensor:
        return x / (x.pow(2).sum(-1, keepdim=True) + 1e-6).sqrt()


class Overflowing(nn.Module):
    """An exponential that overflows with its output, which is visible."""

    def forward(self, x: Tensor) -> Tensor:
        return x.exp() + x


class RootOfSquares(nn.Module):
    """A root of a sum of squares."""

    def forward(self, x: Tensor) -> Tensor:
        return x.pow(2).sum(-1).sqrt()


class Spread(nn.Module):
    """A root of a variance, which is zero where all values are equal."""

    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True).sqrt() + 1e-6)


class Gain(nn.Module):
    """A gain given by its logarithm, of which 100 means nothing."""

    def forward(self, x: Tensor, log_gain: Tensor) -> Tensor:
        return (x * log_gain.exp()).tanh()


class SteepActivation(nn.Module):
    """The same product of features, which may be of any size."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (y * x.exp()).tanh()


class Quotient(nn.Module):
    """A division by zero whose value alone is left out."""

    def forward(self, x: Tensor, count: Tensor) -> Tensor:
        return torch.where(count == 0, 0.0, x / count)


class InverseDistance(nn.Module):
    """A kernel of an inverse distance, which is never zero."""

    def forward(self, distflat: Tensor) -> Tensor:
        return torch.exp(-((distflat**-1) ** 2))


class InverseFeature(nn.Module):
    """The same kernel of a feature, which may be zero."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.exp(-((x**-1) ** 2))


class Difference(nn.Module):
    """A root of squared differences, which are zero where a prediction is exact."""

    def forward(self, pred: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        error = (pred - target).pow(2).mean().sqrt()
        return error, {"error": error.detach()}


class Focal(nn.Module):
    """A power of a probability that becomes zero."""

    def forward(self, x: Tensor) -> Tensor:
        p = x.sigmoid()
        return -(torch.pow(1.0 - p, 0.5) * torch.log(p + 1e-8)).mean()


class WhereWithoutGuard(nn.Module):
    """A branch that is masked in the forward pass alone."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, (x * (x > 0)).sqrt(), 0.0)


class RgbToLinear(nn.Module):
    """A curve of colours in [0, 1], whose other branch is a power of a negative number below."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x <= 0.04, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


class RgbToBright(nn.Module):
    """A curve of colours, whose other branch is a root of a negative number for dark ones."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x <= 0.5, x, (x - 0.5).sqrt())


def quotient(x: Tensor, count: Tensor) -> Tensor:
    """Return a quotient whose value alone is left out at zero."""
    return torch.where(count == 0, 0.0, x / count)


def quotient_loss(x: Tensor, target: Tensor) -> Tensor:
    """Return the mean of quotients whose value alone is left out at zero."""
    return torch.where(x == 0, 0.0, target / x).mean()


class RenamedLoss(nn.BCELoss):
    """A loss of torch under another name."""


class RootMeanSquare(nn.Module):
    """Infinite only where the loss is zero."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return (pred - target).square().mean().sqrt()


class RootOfTarget(nn.Module):
    """Takes a root of the target, of which no gradient is used."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return pred - target.square().mean(-1, keepdim=True).sqrt()


class Metric(nn.Module):
    """The base of metrics."""


class Sharpness(Metric):
    """A root that no training goes through."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square().mean(-1).sqrt()


def cases() -> Iterator[Case]:
    yield sound(discovered(Guarded))
    yield sound(discovered(Overflowing))
    yield broken(discovered(RootOfSquares), "edge")
    yield by_design(discovered(Spread, SEQUENCES), "edge")
    yield sound(discovered(Gain, ROWS, ROWS))
    yield broken(discovered(SteepActivation, ROWS, ROWS), "edge")
    yield broken(discovered(Quotient, ROWS, ROWS), "edge")
    yield by_design(discovered_function(quotient, ROWS, ROWS), "edge")
    yield broken(discovered_function(quotient_loss, ROWS, ROWS), "edge")
    yield sound(discovered(InverseDistance))
    yield broken(discovered(InverseFeature), "edge")
    yield by_design(discovered(Difference, ROWS, ROWS), "edge")
    yield broken(discovered(Focal), "edge")
    yield broken(discovered(WhereWithoutGuard), "ordinary")
    yield broken(discovered(RgbToBright), "ordinary")
    yield by_design(discovered(RgbToLinear), "ordinary")
    yield inconclusive(discovered(nn.Identity, IDS), "")
    yield inconclusive(discovered(RenamedLoss, ROWS, ROWS), "")
    yield by_design(discovered(RootMeanSquare, ROWS, ROWS), "edge")
    yield sound(discovered(RootOfTarget, ROWS, ROWS))
    yield by_design(discovered(Sharpness), "edge")
