"""Modules that are causal as they are called, and modules that see later positions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from support.recipes import IDS, LONG, SIGNALS, discovered
from torch import Tensor, nn

from .cases import Case, broken, by_design, inconclusive, sound


class CausalAttention(nn.Module):
    """Attention with the mask of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class CausalConv(nn.Module):
    """A convolution that is padded on the left, over signals whose second axis is channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(8, 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (2, 0)))


class Switched(nn.Module):
    """Causal where its option is on."""

    def __init__(self, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)


class CausalDecoder(nn.Module):
    """Token ids through a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(10, 8), nn.GRU(8, 8, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        return self.rnn(self.embed(ids))[0]


class CausalConvBothSides(nn.Module):
    """A convolution that is padded on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class OnlyWithMask(nn.Module):
    """The option has no effect unless another mask is given."""

    def __init__(self, causal: bool = True) -> None:
        super().__init__()
        self.causal = causal

    def forward(self, q: Tensor, k: Tensor, v: Tensor, extra: Tensor | None = None) -> Tensor:
        scores = q @ k.mT
        if self.causal and extra is not None:
            later = torch.ones_like(scores, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(later | extra, float("-inf"))
        return scores.softmax(-1) @ v


class CausalBehindZero(nn.Module):
    """A leak behind a projection that is zero at birth."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(8, 8)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(x.mean(1, keepdim=True))


class AutoregressiveDecoderLeaks(CausalDecoder):
    """Token ids through a layer in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(8, 8, batch_first=True, bidirectional=True)


class Bidirectional(nn.Module):
    """Makes no claim."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x.mean(1, keepdim=True)


class CausalInParts(CausalConvBothSides):
    """Normalises over all positions after convolutions.

    Args:
        causal: whether the convolutions are causal.
    """


class CausalOrNot(CausalConvBothSides):
    """Is bidirectional where no mask is given."""


def cases() -> Iterator[Case]:
    yield sound(discovered(CausalAttention, LONG))
    yield sound(discovered(CausalConv, SIGNALS))
    yield sound(discovered(Switched, LONG, LONG, LONG))
    yield sound(discovered(CausalDecoder, IDS))
    yield broken(discovered(CausalConvBothSides, SIGNALS), "later")
    yield broken(discovered(OnlyWithMask, LONG, LONG, LONG), "later")
    yield broken(discovered(CausalBehindZero, LONG), "later")
    yield broken(discovered(AutoregressiveDecoderLeaks, IDS), "later")
    yield inconclusive(discovered(Bidirectional, LONG), "")
    yield by_design(discovered(CausalInParts, SIGNALS), "later")
    yield by_design(discovered(CausalOrNot, SIGNALS), "later")
