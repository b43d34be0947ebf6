"""The peers of `slot_overhead`: hosts with seeds in them, written by hand, without a slot."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from esper_ref import CNNHost, SeedStage, TransformerHost

HALF = 0.5  # the alpha of the blend: what it is does not change what is computed


class InlineCNN(nn.Module):
    """A CNN with seeds, by hand."""

    alpha: Tensor

    def __init__(self, host: CNNHost, seeds: Iterable[nn.Module], stage: SeedStage) -> None:
        super().__init__()
        self.blocks, self.head = host.blocks, host.head
        self.seeds, self.stage = nn.ModuleList(seeds), stage
        self.register_buffer("alpha", torch.tensor(HALF))

    def forward(self, x: Tensor) -> Tensor:
        for block, seed in zip(self.blocks, self.seeds, strict=True):
            x = block(x)
            if self.stage is SeedStage.TRAINING:
                s = seed(x.detach())
                x = x + (s - s.detach())
            elif self.stage is SeedStage.BLENDING:
                x = torch.lerp(x, seed(x.detach()), self.alpha)
            else:
                x = seed(x)
        logits: Tensor = self.head(x.mean(dim=(2, 3)))
        return logits


class InlineTransformer(nn.Module):
    """A transformer of one layer a segment with seeds, by hand."""

    alpha: Tensor

    def __init__(self, host: TransformerHost, seeds: Iterable[nn.Module], stage: SeedStage) -> None:
        super().__init__()
        self.token_embedding, self.position_embedding = (
            host.token_embedding,
            host.position_embedding,
        )
        self.dropout, self.layers = host.dropout, host.layers
        self.norm, self.head = host.norm, host.head
        self.seeds, self.stage = nn.ModuleList(seeds), stage
        self.register_buffer("alpha", torch.tensor(HALF))

    def forward(self, tokens: Tensor) -> Tensor:
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.dropout(self.token_embedding(tokens) + self.position_embedding(positions))
        for layer, seed in zip(self.layers, self.seeds, strict=True):
            x = layer(x)
            if self.stage is SeedStage.TRAINING:
                s = seed(x.detach())
                x = x + (s - s.detach())
            elif self.stage is SeedStage.BLENDING:
                x = torch.lerp(x, seed(x), self.alpha)
            else:
                x = seed(x)
        logits: Tensor = self.head(self.norm(x))
        return logits
