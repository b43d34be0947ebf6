"""Modules whose outputs do not depend on later inputs, some of which look as if they did."""

from __future__ import annotations

import math
import random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LONGEST = 64


class Attention(nn.Module):
    """x + proj(softmax(q k^T / sqrt d + mask) v), with the mask of `mask(length)` and one head."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / math.sqrt(x.shape[-1])  # (batch, query, key)
        return x + self.proj(torch.softmax(self.masked(scores), dim=-1) @ v)

    def masked(self, scores: Tensor) -> Tensor:
        return scores.masked_fill(future(scores.shape[-1]), -math.inf)


def future(length: int, offset: int = 1) -> Tensor:
    """True where the key lies after the query."""
    return torch.ones(length, length, dtype=torch.bool).triu(offset)


class FusedAttention(Attention):
    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        return x + self.proj(F.scaled_dot_product_attention(q, k, v, is_causal=True))


class BufferMask(Attention):
    """An additive mask of -1e9 in a buffer."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("mask", future(LONGEST) * -1e9)

    def masked(self, scores: Tensor) -> Tensor:
        length = scores.shape[-1]
        return scores + self.mask[:length, :length]


class LargeNegativeMask(Attention):
    def masked(self, scores: Tensor) -> Tensor:
        return scores.masked_fill(future(scores.shape[-1]), -1e9)


class TriangleInABuffer(Attention):
    """The mask of nanoGPT: a triangle of ones in a buffer, outside of which scores are minus infinity."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("triangle", torch.ones(LONGEST, LONGEST).tril(), persistent=False)

    def masked(self, scores: Tensor) -> Tensor:
        length = scores.shape[-1]
        return scores.masked_fill(self.triangle[:length, :length] == 0, -math.inf)


class MaskedBias(Attention):
    """The mask of GPT-2: the value of masked scores is a buffer."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.register_buffer("masked_bias", torch.tensor(-1e4))

    def masked(self, scores: Tensor) -> Tensor:
        return torch.where(future(scores.shape[-1]), self.masked_bias, scores)


class FrozenMask(Attention):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.mask = nn.Parameter(future(LONGEST) * -900.0, requires_grad=False)

    def masked(self, scores: Tensor) -> Tensor:
        length = scores.shape[-1]
        return scores + self.mask[:length, :length]


class TrainableMask(FrozenMask):
    """A learned bias for each pair of positions, -1e9 for later ones: not a weight of ordinary size."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.mask = nn.Parameter(future(LONGEST) * -1e9)


class ZeroProjection(Attention):
    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)


class ZeroScale(nn.Module):
    """A learned share of a causal branch, which is zero at birth."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.branch, self.scale = Attention(dim), nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.branch(x)


class SingleSoftmax(Attention):
    """The softmax is computed in single precision whatever the dtype of the input."""

    dtype = torch.float32

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        weights = torch.softmax(self.masked(q @ k.transpose(1, 2)), dim=-1, dtype=self.dtype)
        return x + self.proj(weights.to(x.dtype) @ v)


class HalfSoftmax(SingleSoftmax):
    """Rounds so coarsely that a dependence on the length would look like rounding."""

    dtype = torch.bfloat16


class SingleOnly(Attention):
    """Refuses double precision, because of a table that it creates in single precision."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.proj(torch.arange(x.shape[-1]).float() / 8.0)


class LeftPaddedConv(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(dim, dim, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2)


class ChannelsFirstConv(LeftPaddedConv):
    """Takes (batch, dim, time)."""

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (2, 0)))


class RunningMean(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gate = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]
        return x * torch.sigmoid(self.gate(mean))


class Recurrent(nn.Module):
    def __init__(self, dim: int, *, bidirectional: bool = False) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dim, dim, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class NormalisedTokens(nn.Module):
    """BatchNorm over batch and time together: causal in eval mode only."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


class DroppingOut(Attention):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(super().forward(x), 0.3, self.training)


class SkippingLayers(Attention):
    """Draws from Python's random stream whether it is active in training."""

    def forward(self, x: Tensor) -> Tensor:
        return x if self.training and random.random() < 0.5 else super().forward(x)


class MixingBatch(nn.Module):
    """Rows of a batch mix at the same position."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.linear(x.mean(dim=0, keepdim=True))


class TwoRowsOnly(Attention):
    """Refuses a batch of more than two rows."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.zeros(2, 1, x.shape[-1], dtype=x.dtype)


class SoftmaxOutput(Attention):
    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(super().forward(x), dim=-1)


class LanguageModel(nn.Module):
    """Maps token ids to logits, with the head tied to the embedding."""

    def __init__(self, dim: int, block: type[nn.Module] = Attention) -> None:
        super().__init__()
        self.embedding, self.block = nn.Embedding(11, dim), block(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.block(self.embedding(tokens)) @ self.embedding.weight.T


SOUND: dict[str, type[nn.Module]] = {
    "mask-of-minus-infinity": Attention,
    "fused-attention": FusedAttention,
    "mask-of-minus-1e9": LargeNegativeMask,
    "mask-in-a-buffer": BufferMask,
    "triangle-in-a-buffer": TriangleInABuffer,
    "masked-bias-in-a-buffer": MaskedBias,
    "mask-in-a-frozen-parameter": FrozenMask,
    "mask-in-a-trainable-parameter": TrainableMask,
    "zero-projection": ZeroProjection,
    "zero-scale": ZeroScale,
    "softmax-in-single-precision": SingleSoftmax,
    "refuses-double-precision": SingleOnly,
    "softmax-output": SoftmaxOutput,
    "left-padded-convolution": LeftPaddedConv,
    "running-mean": RunningMean,
    "lstm": Recurrent,
    "dropout-in-train": DroppingOut,
    "layers-skipped-in-train": SkippingLayers,
    "rows-of-a-batch-mix": MixingBatch,
    "two-rows-only": TwoRowsOnly,
}
