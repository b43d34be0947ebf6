"""Modules that ignore what a mask or lengths exclude, and modules that do not."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from support.recipes import (
    FLOAT_MASK,
    IDS,
    LENGTHS,
    LONG,
    MASK,
    RATIOS,
    SEQUENCES,
    SHORT,
    SHORT_LENGTHS,
    discovered,
)
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .cases import Case, broken, by_design, inconclusive, sound


class SelfAttention(nn.Module):
    """Attention to the positions that the mask keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(8, 24)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.project(x).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask.bool()[:, None])


class AttentionIfMasked(SelfAttention):
    """Takes a mask that may be left out."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(x, torch.ones(x.shape[:2]) if mask is None else mask)


class AttentionUnmasked(AttentionIfMasked):
    """Takes a mask that may be left out, and does not use it."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(x)


class EncoderLayer(nn.Module):
    """A layer of torch, whose mask is true where a position is excluded."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, ids: Tensor, key_padding_mask: Tensor) -> Tensor:
        return self.layer(self.embed(ids), src_key_padding_mask=key_padding_mask)


class PackedGru(nn.Module):
    """A recurrent layer in both directions over what the lengths keep."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(8, 4, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed)[0], batch_first=True)[0]


class Unpacked(PackedGru):
    """The backward direction starts in the padding."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        kept = torch.arange(x.shape[1]) < lengths[:, None]
        return self.gru(x)[0] * kept[..., None]


class AttentionToNeighbours(SelfAttention):
    """Each position is given its next one, which for the last kept one is padding."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().forward(x + F.pad(x[:, 1:], (0, 0, 0, 1)), mask)


class AttentionToAll(SelfAttention):
    """Takes the mask and attends to everything."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.project(x).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v)


class AttentionMaskedLate(SelfAttention):
    """Zeroes the weights of excluded positions, which the denominator still contains."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.project(x).chunk(3, dim=-1)
        weights = (q @ k.transpose(1, 2)).softmax(-1)
        return (weights * mask[:, None]) @ v


class CentredAttention(SelfAttention):
    """Subtracts the mean of all positions before an attention that masks."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().forward(x - x.mean(1, keepdim=True), mask)


class PoolAndAdd(nn.Module):
    """Adds the mean of all positions, whatever their lengths, behind a gate that is zero at birth."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(8))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return x + self.gate * x.mean(1, keepdim=True)


class RelativeLengths(nn.Module):
    """Normalises over the share of positions that the lengths keep."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        kept = torch.arange(x.shape[1]) < (lengths * x.shape[1]).round()[:, None]
        return x - (x * kept[..., None]).sum(1, keepdim=True) / kept.sum(1)[:, None, None]


class Convolved(nn.Module):
    """A convolution over positions, between attentions."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.conv = nn.Conv1d(8, 8, 5, padding=2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


class HiddenPatches(nn.Module):
    """Replaces what the mask selects, as a masked autoencoder does: true is hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.token = nn.Parameter(torch.zeros(8))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = torch.where(mask[..., None], self.token, x)
        return self.attention(x, x, x)[0]


class Statistics(nn.Module):
    """A mask of something else."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x - x.mean(1, keepdim=True)


class AttentionPooled(SelfAttention):
    """An output of the whole batch."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().forward(x, mask).sum(dim=(0, 1))


class MeanOfKept(nn.Module):
    """The mean of the positions that the mask keeps."""

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        kept = attention_mask[..., None].to(x.dtype)
        return self.summed(x, kept) / kept.sum(1).clamp(min=1)

    def summed(self, x: Tensor, kept: Tensor) -> Tensor:
        return (x * kept).sum(1)


class MeanWithPadding(MeanOfKept):
    """Divides the sum of all positions by the number of kept ones."""

    def summed(self, x: Tensor, kept: Tensor) -> Tensor:
        return x.sum(1)


class AttentionOfTheFirst(SelfAttention):
    """The output at the first position, which no mask should exclude."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().forward(x, mask)[:, 0]


class AttentionOfTheLast(SelfAttention):
    """The output at the last position, which no mask should exclude."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().forward(x, mask)[:, -1]


class LastState(PackedGru):
    """The last output that the lengths keep, in both directions."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.gru(pack_padded_sequence(x, lengths, batch_first=True))[1].mean(0)


class LastStateOfPadding(PackedGru):
    """The state after the padding."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.gru(x)[1].mean(0)


class AttentionOfPrefix(AttentionToAll):
    """Attends to all tokens of a prefix, and causally to those that the mask keeps."""


def cases() -> Iterator[Case]:
    yield sound(discovered(SelfAttention, SEQUENCES, MASK))
    yield sound(discovered(SelfAttention, SEQUENCES, FLOAT_MASK))
    yield sound(discovered(AttentionIfMasked, SEQUENCES))
    yield broken(discovered(AttentionUnmasked, SEQUENCES), "padding")
    yield sound(discovered(EncoderLayer, IDS, MASK))
    yield sound(discovered(PackedGru, SEQUENCES, LENGTHS))
    yield sound(discovered(RelativeLengths, SEQUENCES, RATIOS))
    yield sound(discovered(RelativeLengths, SEQUENCES, LENGTHS))
    yield sound(discovered(HiddenPatches, SEQUENCES, MASK))
    yield sound(discovered(AttentionToNeighbours, SEQUENCES, MASK))
    yield broken(discovered(Unpacked, SEQUENCES, LENGTHS), "padding")
    yield broken(discovered(AttentionToAll, SEQUENCES, MASK), "padding")
    yield broken(discovered(AttentionMaskedLate, SEQUENCES, MASK), "padding")
    yield broken(discovered(CentredAttention, SEQUENCES, MASK), "padding")
    yield broken(discovered(PoolAndAdd, SEQUENCES, LENGTHS), "padding")
    yield by_design(discovered(Convolved, SEQUENCES, MASK), "padding")
    yield inconclusive(discovered(Statistics, SEQUENCES, MASK), "")
    yield inconclusive(discovered(SelfAttention, LONG, MASK), "")
    yield inconclusive(discovered(AttentionPooled, SEQUENCES, MASK), "")
    yield sound(discovered(MeanOfKept, SEQUENCES, MASK))
    yield broken(discovered(MeanWithPadding, SEQUENCES, MASK), "padding")
    yield sound(discovered(AttentionOfTheFirst, SEQUENCES, MASK))
    yield sound(discovered(AttentionOfTheLast, SEQUENCES, MASK))
    yield sound(discovered(LastState, SEQUENCES, LENGTHS))
    yield broken(discovered(LastStateOfPadding, SEQUENCES, LENGTHS), "padding")
    yield broken(discovered(LastStateOfPadding, SHORT, SHORT_LENGTHS), "padding")
    yield by_design(discovered(AttentionOfPrefix, SEQUENCES, MASK), "padding")
