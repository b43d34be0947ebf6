"""flex_attention: self-attention by FlexAttention where it can train, by SDPA elsewhere."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import flex_attention

from esper_ref.blueprint import BlueprintRegistry
from esper_ref.blueprints.transformer_attention import BidirectionalAttention, CausalAttention

# Where FlexAttention has a backward (torch 2.13); on a CPU it refuses inputs that require grad.
DEVICES_WITH_BACKWARD = frozenset({"cuda", "xpu"})
NARROWEST_HEAD = 16  # FlexAttention's kernels take no narrower one


class AttentionKernel(StrEnum):
    """What computes the attention."""

    FLEX = "flex"
    SDPA = "sdpa"


def kernel_for(device_type: str, head_width: int, dropout: float) -> AttentionKernel:
    """Return the kernel that serves: FlexAttention has no dropout and not every backward."""
    flexible = device_type in DEVICES_WITH_BACKWARD and head_width >= NARROWEST_HEAD
    return AttentionKernel.FLEX if flexible and dropout == 0.0 else AttentionKernel.SDPA


def only_earlier(score: Tensor, _batch: Tensor, _head: Tensor, q: Tensor, kv: Tensor) -> Tensor:
    """Keep the score of a query at `q` for a key at `kv` unless the key lies in the future."""
    return torch.where(q >= kv, score, float("-inf"))


def flex_causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return causal FlexAttention of (batch, heads, tokens, head width)."""
    out: Tensor = flex_attention(q, k, v, score_mod=only_earlier)
    return out


class FlexCausalAttention(CausalAttention):
    """As `attention`, with the kernel chosen by device. `kernel` says which one ran last."""

    kernel: AttentionKernel | None = None

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return the attention of each head, (batch, heads, tokens, head width)."""
        self.kernel = kernel_for(q.device.type, q.shape[-1], self.dropout_now)
        if self.kernel is AttentionKernel.FLEX:
            return flex_causal(q, k, v)
        return super().attend(q, k, v)


@BlueprintRegistry.register(
    "flex_attention", topology="transformer", param_count=lambda dim: 4 * dim**2 + 4 * dim
)
def flex_attention_seed(
    dim: int, *, n_head: int = 4, dropout: float = 0.0, causal: bool = True
) -> CausalAttention:
    """Return an attention seed: in a host that is not causal SDPA serves on every device."""
    kind = FlexCausalAttention if causal else BidirectionalAttention
    return kind(dim, n_head=n_head, dropout=dropout)
