"""Modules that depend on later inputs, each in a way that hides it."""

from __future__ import annotations

import math

import torch
from subjects.causal_modules import (
    Attention,
    LanguageModel,
    Recurrent,
    RunningMean,
    SingleOnly,
    TwoRowsOnly,
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
    """Masks with -10 instead of minus infinity."""

    def masked(self, scores: Tensor) -> Tensor:
        return scores - 10.0 * future(scores.shape[-1])


class SoftmaxOverQueries(Attention):
    """The mask is right, but the softmax runs over the axis of queries, so it sums over later ones."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        weights = torch.softmax(self.masked(q @ k.transpose(1, 2)), dim=1)
        return x + self.proj(weights @ v)


class TrainsOnlyWithMask(Attention):
    """Applies no mask in eval mode."""

    def masked(self, scores: Tensor) -> Tensor:
        return super().masked(scores) if self.training else scores


class EvaluatesOnlyWithMask(Attention):
    def masked(self, scores: Tensor) -> Tensor:
        return scores if self.training else super().masked(scores)


class FastPathWithoutMask(Attention):
    """The path for inference, without gradients, has no mask."""

    def masked(self, scores: Tensor) -> Tensor:
        return super().masked(scores) if torch.is_grad_enabled() else scores


class SoftmaxLast(Unmasked):
    """The sum of the outputs is always 1, so that the gradient of the sum is zero."""

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
    """A leak in single precision that is almost as small as the rounding."""

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).float().mul(1.0 + 0.01 / x.shape[1]).to(x.dtype)


class UnmaskedSingleOnly(SingleOnly):
    def masked(self, scores: Tensor) -> Tensor:
        return scores


class Remembering(RunningMean):
    """Adds the features of the previous call."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("seen", torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        out = super().forward(x) + self.seen
        self.seen = x.detach().mean(dim=(0, 1))
        return out


class StraightThrough(nn.Module):
    """Has the values of the host and the gradient of a seed that depends on all positions."""

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
    """A learned share, zero at birth, of a branch that depends on all positions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.branch, self.alpha = Unmasked(dim), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.alpha * self.branch(x)


class GatedComposition(nn.Module):
    """A causal seed, whose gate leaks."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.seed, self.gate = Attention(dim), nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, self.seed(x), torch.sigmoid(self.gate(x.mean(1, keepdim=True))))


class LeakingLanguageModel(LanguageModel):
    def __init__(self, dim: int) -> None:
        super().__init__(dim, UnmaskedZeroProjection)


class BufferAlpha(nn.Module):
    """The share is a zero buffer, which is not drawn anew, so that the branch has no effect."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.branch = Unmasked(dim)
        self.register_buffer("alpha", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, self.branch(x), self.alpha)


class Constant(nn.Module):
    """Depends on no input, which proves nothing."""

    def __init__(self, _dim: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)


ALL = "altered prefix gradient"


# Module, and the detectors that see it.
class UnmaskedTwoRows(TwoRowsOnly):
    def masked(self, scores: Tensor) -> Tensor:
        return scores


LEAKING: dict[str, tuple[type[nn.Module], str]] = {
    "unmasked": (Unmasked, ALL),
    "unmasked-for-two-rows-only": (UnmaskedTwoRows, ALL),
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
