"""TransformerHost: a GPT-style decoder, pre-norm, with a tied head and one slot a segment."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from esper_ref.errors import HostError
from esper_ref.host import InjectionSpec, SegmentRoute

if TYPE_CHECKING:
    from esper_ref.topology import Topology

INITIAL_STD = 0.02  # GPT-2's


class CausalSelfAttention(nn.Module):
    """Multi-head attention in which no token sees a later one."""

    def __init__(self, n_embd: int, n_head: int, dropout: float) -> None:
        super().__init__()
        self.n_head = n_head
        self.dropout = dropout
        self.qkv = nn.Linear(n_embd, 3 * n_embd)
        self.proj = nn.Linear(n_embd, n_embd)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape."""
        batch, tokens, width = x.shape
        heads = self.qkv(x).view(batch, tokens, 3 * self.n_head, width // self.n_head)
        q, k, v = heads.transpose(1, 2).chunk(3, dim=1)  # (batch, heads, tokens, head width)
        dropout = self.dropout if self.training else 0.0
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)
        out: Tensor = self.proj(x.transpose(1, 2).reshape(batch, tokens, width))
        return out  # (batch, tokens, width)


class TransformerLayer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, n_embd: int, n_head: int, dropout: float) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(n_embd)
        self.attention = CausalSelfAttention(n_embd, n_head, dropout)
        self.norm_2 = nn.LayerNorm(n_embd)
        self.mlp = nn.Sequential(
            nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape."""
        x = x + self.dropout(self.attention(self.norm_1(x)))
        out: Tensor = x + self.dropout(self.mlp(self.norm_2(x)))
        return out


class TransformerHost(nn.Module):
    """A small language model. `n_layer` layers are cut into `num_segments` equal segments.

    Slots are r0c0, r0c1, ..., each after the last layer of its segment.
    """

    topology: ClassVar[Topology] = "transformer"
    causal: ClassVar[bool] = True

    def __init__(
        self,
        vocab_size: int,
        n_embd: int = 64,
        n_head: int = 4,
        n_layer: int = 4,
        block_size: int = 128,
        dropout: float = 0.0,
        num_segments: int = 2,
    ) -> None:
        super().__init__()
        if n_layer % num_segments != 0 or n_embd % n_head != 0:
            raise HostError(
                f"TransformerHost: got {n_layer} layers in {num_segments} segments and width "
                f"{n_embd} in {n_head} heads; expected both to divide evenly"
            )
        self.block_size = block_size
        self.token_embedding = nn.Embedding(vocab_size, n_embd)
        self.position_embedding = nn.Embedding(block_size, n_embd)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(n_embd, n_head, dropout) for _ in range(n_layer)
        )
        self.norm = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, vocab_size, bias=False)
        self.head.weight = self.token_embedding.weight  # tied
        self.apply(_initialise)
        for name, parameter in self.named_parameters():
            if name.endswith(("attention.proj.weight", "mlp.2.weight")):
                nn.init.normal_(parameter, std=INITIAL_STD / math.sqrt(2 * n_layer))
        size = n_layer // num_segments
        self.specs = tuple(
            InjectionSpec(f"r0c{i}", n_embd, (i + 1) / num_segments, (i * size, (i + 1) * size))
            for i in range(num_segments)
        )
        self.route = SegmentRoute(self.specs)

    def injection_specs(self) -> tuple[InjectionSpec, ...]:
        """Return one injection point a segment."""
        return self.specs

    def embed(self, tokens: Tensor) -> Tensor:
        """Map token ids (batch, tokens) to features (batch, tokens, width)."""
        length = tokens.shape[1]
        if length > self.block_size:
            raise HostError(
                f"TransformerHost: got {length} tokens, expected at most block_size = "
                f"{self.block_size}"
            )
        positions = torch.arange(length, device=tokens.device)  # (tokens,)
        x: Tensor = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))
        return x  # (batch, tokens, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map token ids (batch, tokens) to logits (batch, tokens, vocabulary)."""
        x = self.embed(x)  # (batch, tokens, width)
        for layer in self.layers:
            x = layer(x)
        return self.predict(x)

    def forward_to_segment(
        self, segment: str, x: Tensor, from_segment: str | None = None
    ) -> Tensor:
        """Return features (batch, tokens, width) at `segment`, from token ids or from features."""
        layers = self.route.layers(from_segment, segment)
        x = self.embed(x) if from_segment is None else x
        for layer in islice(self.layers, layers.start, layers.stop):
            x = layer(x)
        return x

    def forward_from_segment(self, segment: str, x: Tensor) -> Tensor:
        """Return logits (batch, tokens, vocabulary) from the features at `segment`."""
        for layer in islice(self.layers, self.route.end(segment), None):
            x = layer(x)
        return self.predict(x)

    def predict(self, x: Tensor) -> Tensor:
        """Map the last layer's features to logits."""
        logits: Tensor = self.head(self.norm(x))  # (batch, tokens, vocabulary)
        return logits


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=INITIAL_STD)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
