"""lora_large: a low-rank update of each token, of rank 32."""

from __future__ import annotations

from esper_ref.blueprint import BlueprintRegistry
from esper_ref.blueprints.transformer_lora import LowRank

RANK = 32


@BlueprintRegistry.register(
    "lora_large", topology="transformer", param_count=lambda dim: 2 * RANK * dim
)
def lora_large(dim: int) -> LowRank:
    """Return a low-rank seed of rank 32."""
    return LowRank(dim, RANK)
