"""mlp_small: a feed-forward branch of twice the width."""

from __future__ import annotations

from esper_ref.blueprint import BlueprintRegistry
from esper_ref.blueprints.transformer_mlp import FeedForward

EXPANSION = 2


@BlueprintRegistry.register(
    "mlp_small", topology="transformer", param_count=lambda dim: 2 * EXPANSION * dim**2 + 3 * dim
)
def mlp_small(dim: int, *, dropout: float = 0.0, checkpointed: bool = False) -> FeedForward:
    """Return a feed-forward seed of expansion 2."""
    return FeedForward(dim, EXPANSION, dropout=dropout, checkpointed=checkpointed)
