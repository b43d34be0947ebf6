"""Nine modules as a newcomer writes them, whose calls are trees of tensors, lists, tuples, states and dictionaries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Tagger(nn.Module):
    """A recurrent network over ids with lengths, which returns scores and its state."""

    def __init__(self, vocab_size: int, hidden_size: int, num_tags: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.rnn = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, num_tags)

    def forward(
        self, input_ids: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        features, state = self.rnn(self.embedding(input_ids), state)
        return self.head(features), state


class UpBlock(nn.Module):
    """A block of a UNet: features, the features of a skip connection, and an embedding of time."""

    def __init__(
        self, in_channels: int, skip_channels: int, out_channels: int, temb_channels: int
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels + skip_channels, out_channels, 3, padding=1)
        self.norm = nn.GroupNorm(4, out_channels)
        self.time = nn.Linear(temb_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor, temb: Tensor) -> Tensor:
        x = F.interpolate(x, size=skip.shape[-2:])
        h = self.conv(torch.cat([x, skip], dim=1))
        return F.silu(self.norm(h) + self.time(temb)[:, :, None, None])


@dataclass
class GPTConfig:
    vocab_size: int = 50
    n_embd: int = 16
    n_head: int = 2
    n_layer: int = 2
    block_size: int = 16


@dataclass
class GPTOutput:
    logits: Tensor
    past_key_values: list[tuple[Tensor, Tensor]]


class CachedAttention(nn.Module):
    """Causal attention with a cache of keys and values."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head = config.n_head
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd)
        self.proj = nn.Linear(config.n_embd, config.n_embd)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        b, t, c = x.shape
        q, k, v = (p.view(b, t, self.n_head, -1).transpose(1, 2) for p in self.qkv(x).chunk(3, -1))
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        mask = torch.ones(t, k.shape[2], dtype=torch.bool, device=x.device).tril(k.shape[2] - t)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.proj(y.transpose(1, 2).reshape(b, t, c)), (k, v)


class GPT(nn.Module):
    """A small GPT-2 with a cache, built from a configuration."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.n_embd)
        self.positions = nn.Embedding(config.block_size, config.n_embd)
        self.layers = nn.ModuleList(CachedAttention(config) for _ in range(config.n_layer))
        self.head = nn.Linear(config.n_embd, config.vocab_size)

    def forward(
        self, input_ids: Tensor, past_key_values: list[tuple[Tensor, Tensor]] | None = None
    ) -> GPTOutput:
        past = past_key_values or [None] * len(self.layers)
        start = 0 if past[0] is None else past[0][0].shape[2]
        at = torch.arange(start, start + input_ids.shape[1], device=input_ids.device)
        x = self.tokens(input_ids) + self.positions(at)
        caches = []
        for layer, before in zip(self.layers, past, strict=True):
            y, cache = layer(x, before)
            x = x + y
            caches.append(cache)
        return GPTOutput(self.head(x), caches)


class Policy(nn.Module):
    """A policy of reinforcement learning over a dictionary of observations."""

    def __init__(self, image_channels: int, state_dim: int, num_actions: int) -> None:
        super().__init__()
        self.image = nn.Sequential(
            nn.Conv2d(image_channels, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )
        self.state = nn.Linear(state_dim, 8)
        self.action, self.value = nn.Linear(16, num_actions), nn.Linear(16, 1)

    def forward(self, observations: dict[str, Tensor]) -> dict[str, Tensor]:
        seen = self.image(observations["image"]).flatten(1)
        features = torch.cat([seen, self.state(observations["state"])], dim=-1)
        return {"logits": self.action(features), "value": self.value(features).squeeze(-1)}


class ConformerBlock(nn.Module):
    """Attention with a padding mask, and a convolution over time."""

    def __init__(self, d_model: int, num_heads: int, kernel_size: int = 5) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model)
        self.attention = nn.MultiheadAttention(d_model, num_heads, batch_first=True)
        self.conv = nn.Conv1d(
            d_model, d_model, kernel_size, padding=kernel_size // 2, groups=d_model
        )

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        mask = torch.arange(x.shape[1], device=x.device)[None, :] >= lengths[:, None]
        h = self.norm(x)
        x = x + self.attention(h, h, h, key_padding_mask=mask, need_weights=False)[0]
        x = x + self.conv(x.masked_fill(mask[..., None], 0.0).transpose(1, 2)).transpose(1, 2)
        return x, lengths


class DetectionHead(nn.Module):
    """A head over a list of feature maps, which returns a list for each of its outputs."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.classes = nn.Conv2d(in_channels, num_classes, 1)
        self.boxes = nn.Conv2d(in_channels, 4, 1)

    def forward(self, features: list[Tensor]) -> dict[str, list[Tensor]]:
        return {
            "scores": [self.classes(level) for level in features],
            "boxes": [self.boxes(level).relu() for level in features],
        }


class TimeFirstDecoder(nn.Module):
    """A decoder of transformers with the batch on the second axis."""

    def __init__(self, d_model: int, nhead: int) -> None:
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(d_model, nhead, 32, dropout=0.0)

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None) -> Tensor:
        return self.layer(tgt, memory, tgt_mask=tgt_mask)


class VisionLanguage(nn.Module):
    """A loss over pictures and texts with a mask."""

    def __init__(self, vocab_size: int, embed_dim: int) -> None:
        super().__init__()
        self.picture = nn.Sequential(
            nn.Conv2d(3, embed_dim, 4, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.text = nn.Embedding(vocab_size, embed_dim)

    def forward(
        self, pixel_values: Tensor, input_ids: Tensor, attention_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        weights = attention_mask[..., None].to(self.text.weight.dtype)
        text = (self.text(input_ids) * weights).sum(1) / weights.sum(1).clamp_min(1.0)
        return self.picture(pixel_values), text


class GraphLayer(nn.Module):
    """A layer over nodes and edges by index."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        source, target = edge_index
        sums = torch.zeros(len(x), self.linear.out_features, device=x.device, dtype=x.dtype)
        return sums.index_add(0, target, self.linear(x)[source])
