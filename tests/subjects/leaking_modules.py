"""Modules that see the future, one for each way of hiding it."""

from __future__ import annotations

import math

import torch
from subjects.causal_modules import (
    Attention,
    LanguageModel,
    Recurrent,
    RunningMean,
    SingleOnly,
    future,
)
from subjects.pooling_modules import (
    ChunkMean,
    DetachedPooling,
    DetachedWhenRecording,
    Fourier,
    LastToken,
    LoudOnly,
    LyingBackward,
    MaximumPooling,
    NormalisedPooling,
    NormOverTime,
    Pooling,
    SaturatedGate,
    ScaledByLargest,
    StrongestToken,
    SuffixSum,
    Tiny,
    TinyAndDetached,
    UnrecordedPooling,
)
from torch import Tensor, nn


class Unmasked(Attention):
    def masked(self, scores: Tensor) -> Tensor:
        return scores


class UnmaskedZeroProjection(Unmasked):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)


class MaskOffByOne(Attention):
    def masked(self, scores: Tensor) -> Tensor:
        return scores.masked_fill(future(scores.shape[-1], offset=2), -math.inf)


class SoftMask(Attention):
    """-10 is not minus infinity."""

    def masked(self, scores: Tensor) -> Tensor:
        return scores - 10.0 * future(scores.shape[-1])


class SoftmaxOverQueries(Attention):
    """The mask is right, the softmax runs over the wrong axis: its sum is over later queries."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        weights = torch.softmax(self.masked(q @ k.transpose(1, 2)), dim=1)
        return x + self.proj(weights @ v)


class TrainsOnlyWithMask(Attention):
    """The mask is forgotten in eval mode."""

    def masked(self, scores: Tensor) -> Tensor:
        return super().masked(scores) if self.training else scores


class EvaluatesOnlyWithMask(Attention):
    def masked(self, scores: Tensor) -> Tensor:
        return scores if self.training else super().masked(scores)


class FastPathWithoutMask(Attention):
    """A path for inference, taken without gradients, has no mask."""

    def masked(self, scores: Tensor) -> Tensor:
        return super().masked(scores) if torch.is_grad_enabled() else scores


class SoftmaxLast(Unmasked):
    """The sum of the outputs is 1 whatever happens: a gradient of the sum is zero."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(super().forward(x), dim=-1)


class NormLast(Unmasked):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(super().forward(x))


class OnlyWhenLong(Unmasked):
    def masked(self, scores: Tensor) -> Tensor:
        return scores if scores.shape[-1] > 24 else Attention.masked(self, scores)


class DividedByLength(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) / x.shape[1]


class DividedByLengthInSingle(DividedByLength):
    """In single precision, where the rounding is coarser, and so little of it that it nearly is rounding."""

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).float().mul(1.0 + 0.01 / x.shape[1]).to(x.dtype)


class UnmaskedSingleOnly(SingleOnly):
    def masked(self, scores: Tensor) -> Tensor:
        return scores


class Remembering(RunningMean):
    """Adds what it saw in the call before."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("seen", torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x) + self.seen
        self.seen = x.detach().mean(dim=(0, 1))
        return out


class StraightThrough(nn.Module):
    """The values of the host, the gradient of a seed that sees everything."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.seed = Unmasked(dim)

    def forward(self, x: Tensor) -> Tensor:
        seed = self.seed(x)
        return x + (seed - seed.detach())


class CentredConv(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


class BothWays(Recurrent):
    def __init__(self, dim: int) -> None:
        super().__init__(dim, bidirectional=True)


class ZeroAlpha(nn.Module):
    """A learned share of a branch that sees everything; at birth the share is zero."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.branch, self.alpha = Unmasked(dim), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.alpha * self.branch(x)


class GatedComposition(nn.Module):
    """A causal seed; the leak is in the gate that joins it."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.seed, self.gate = Attention(dim), nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, self.seed(x), torch.sigmoid(self.gate(x.mean(1, keepdim=True))))


class LeakingLanguageModel(LanguageModel):
    def __init__(self, dim: int) -> None:
        super().__init__(dim, UnmaskedZeroProjection)


class BufferAlpha(nn.Module):
    """The share is a buffer, which nobody may draw anew: nothing of the branch can be seen."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.branch = Unmasked(dim)
        self.register_buffer("alpha", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, self.branch(x), self.alpha)


class Constant(nn.Module):
    """Depends on nothing at all, which is no proof of anything."""

    def __init__(self, _dim: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)


ALL = "altered prefix gradient"
# Module, and the detectors that see it.
LEAKING: dict[str, tuple[type[nn.Module], str]] = {
    "unmasked": (Unmasked, ALL),
    "unmasked-behind-a-zero-projection": (UnmaskedZeroProjection, ALL),
    "mask-off-by-one": (MaskOffByOne, ALL),
    "soft-mask": (SoftMask, ALL),
    "softmax-over-queries": (SoftmaxOverQueries, ALL),
    "no-mask-in-eval": (TrainsOnlyWithMask, ALL),
    "no-mask-in-train": (EvaluatesOnlyWithMask, ALL),
    "no-mask-without-gradients": (FastPathWithoutMask, "altered prefix"),
    "softmax-last": (SoftmaxLast, ALL),
    "layer-norm-last": (NormLast, ALL),
    "pooled-gate": (Pooling, ALL),
    "pooled-behind-a-norm": (NormalisedPooling, ALL),
    "pooled-detached": (DetachedPooling, "altered prefix"),
    "pooled-without-gradients": (UnrecordedPooling, "altered prefix"),
    "maximum-over-time": (MaximumPooling, ALL),
    "suffix-sum": (SuffixSum, ALL),
    "last-token": (LastToken, ALL),
    "strongest-token": (StrongestToken, "altered prefix"),
    "saturated-gate": (SaturatedGate, "gradient"),
    "chunk-mean": (ChunkMean, ALL),
    "only-when-long": (OnlyWhenLong, ALL),
    "tiny": (Tiny, ALL),
    "tiny-and-detached": (TinyAndDetached, "altered"),
    "detached-when-recording": (DetachedWhenRecording, "altered"),
    "loud-only": (LoudOnly, "altered"),
    "divided-by-length": (DividedByLength, "prefix"),
    "divided-by-length-in-single-precision": (DividedByLengthInSingle, "prefix"),
    "refuses-double-precision-and-leaks": (UnmaskedSingleOnly, ALL),
    "straight-through": (StraightThrough, "gradient"),
    "lying-backward": (LyingBackward, "altered prefix"),
    "centred-convolution": (CentredConv, ALL),
    "lstm-both-ways": (BothWays, ALL),
    "fourier-filter": (Fourier, ALL),
    "norm-over-time": (NormOverTime, ALL),
    "scaled-by-the-largest": (ScaledByLargest, ALL),
    "learned-alpha-of-zero": (ZeroAlpha, ALL),
    "gate-of-a-causal-seed": (GatedComposition, ALL),
}
