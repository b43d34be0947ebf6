"""Modules that pool over time, so that the output at a token depends on all tokens."""

from __future__ import annotations

import torch
from subjects.causal_modules import LONGEST
from torch import Tensor, nn


class Pooling(nn.Module):
    """x sigmoid(gate(pooled)), the shared form of many leaks."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gate = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.gate(self.pooled(x)))

    def pooled(self, x: Tensor) -> Tensor:
        return x.mean(dim=1, keepdim=True)


class NormalisedPooling(Pooling):
    """The norm of each token removes a constant that is added to later positions."""

    def pooled(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, x.shape[-1:]).mean(dim=1, keepdim=True)


class DetachedPooling(Pooling):
    def pooled(self, x: Tensor) -> Tensor:
        return super().pooled(x.detach())


class UnrecordedPooling(Pooling):
    def pooled(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return super().pooled(x)


class MaximumPooling(Pooling):
    def pooled(self, x: Tensor) -> Tensor:
        return x.amax(dim=1, keepdim=True)


class SuffixSum(Pooling):
    def pooled(self, x: Tensor) -> Tensor:
        return x.flip(1).cumsum(1).flip(1)


class LastToken(Pooling):
    def pooled(self, x: Tensor) -> Tensor:
        return x[:, -1:]


class StrongestToken(nn.Module):
    """argmax of the norms: no gradient, and most alterations do not change the winner."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        winner = x.norm(dim=-1).argmax(dim=1)
        return self.linear(x) + winner[:, None, None].to(x.dtype)


class SaturatedGate(Pooling):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.gate(self.pooled(x)) - 50.0) + x


class ChunkMean(nn.Module):
    """Every position gets the mean of its chunk, which is invisible at a boundary of chunks."""

    chunk = 4

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        out = self.linear(x)
        for start in range(0, x.shape[1] - self.chunk + 1, self.chunk):
            piece = x[:, start : start + self.chunk]
            mean = piece.mean(1, keepdim=True).expand_as(piece)
            out = out + nn.functional.pad(mean, (0, 0, start, x.shape[1] - start - self.chunk))
        return out


class WideChunkMean(ChunkMean):
    """Leaks only in a sequence longer than those of usual tests."""

    chunk = 48


class Tiny(Pooling):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate.weight[0] + self.gate.bias + 1e-9 * self.pooled(x)


class TinyAndDetached(Pooling):
    """A leak smaller than rounding for the prefix, and without a gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate.weight[0] + self.gate.bias + 2e-14 * self.pooled(x.detach())


class DetachedWhenRecording(Pooling):
    """A leak on the path for training, which is neither taken without gradients nor visible in them."""

    def pooled(self, x: Tensor) -> Tensor:
        return super().pooled(x.detach()) if torch.is_grad_enabled() else x


class LoudOnly(Pooling):
    """A threshold that usual features do not exceed."""

    def pooled(self, x: Tensor) -> Tensor:
        loudest = x.detach().abs().amax(dim=1, keepdim=True)
        return x + torch.relu(loudest - 20.0)


class _Lying(torch.autograd.Function):
    @staticmethod
    def forward(_saved: object, x: Tensor) -> Tensor:
        return x + x.mean(dim=1, keepdim=True)

    @staticmethod
    def backward(_saved: object, gradient: Tensor) -> Tensor:
        return gradient


class LyingBackward(Pooling):
    def forward(self, x: Tensor) -> Tensor:
        return self.gate(x) * _Lying.apply(x)


class Fourier(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.filter = nn.Parameter(torch.rand(LONGEST, dim))

    def forward(self, x: Tensor) -> Tensor:
        frequencies = torch.fft.rfft(x, dim=1)
        return torch.fft.irfft(frequencies * self.filter[: frequencies.shape[1]], x.shape[1], dim=1)


class NormOverTime(nn.Module):
    """A LayerNorm over positions and features together."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, x.shape[1:]) * self.scale


class ScaledByLargest(NormOverTime):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale / x.abs().amax(dim=(1, 2), keepdim=True)
