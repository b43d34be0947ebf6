"""attention: multi-head self-attention on a branch, causal if its host is."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from esper_ref.blueprint import BlueprintRegistry


class CausalAttention(nn.Module):
    """x + proj(attention(x)), with `proj` at zero at birth.

    Causal, as its host is: a seed that looked ahead would make the host's training loss a lie.
    A width that `n_head` does not divide gets the most heads that do.
    """

    def __init__(self, dim: int, *, n_head: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.n_head = math.gcd(dim, n_head)
        self.dropout = dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape."""
        batch, tokens, width = x.shape
        heads = self.qkv(x).view(batch, tokens, 3 * self.n_head, width // self.n_head)
        q, k, v = heads.transpose(1, 2).chunk(3, dim=1)  # (batch, heads, tokens, head width)
        out = self.attend(q, k, v).transpose(1, 2)  # (batch, tokens, heads, head width)
        branch: Tensor = self.proj(out.reshape(batch, tokens, width))  # (batch, tokens, width)
        return x + branch.to(x.dtype)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return the attention of each head, (batch, heads, tokens, head width)."""
        dropout = self.dropout_now
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)

    @property
    def dropout_now(self) -> float:
        """The share of attention weights that is dropped in this mode."""
        return self.dropout if self.training else 0.0


class BidirectionalAttention(CausalAttention):
    """The same in a host that is not causal: every token sees every token."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return the attention of each head, (batch, heads, tokens, head width)."""
        return F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout_now)


@BlueprintRegistry.register(
    "attention", topology="transformer", param_count=lambda dim: 4 * dim**2 + 4 * dim
)
def attention(
    dim: int, *, n_head: int = 4, dropout: float = 0.0, causal: bool = True
) -> CausalAttention:
    """Return an attention seed for a host that is causal or not."""
    kind = CausalAttention if causal else BidirectionalAttention
    return kind(dim, n_head=n_head, dropout=dropout)
