"""mlp: a feed-forward branch of four times the width."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from esper_ref.blueprint import BlueprintRegistry

EXPANSION = 4


class FeedForward(nn.Module):
    """x + contract(gelu(expand(x))), with `contract` at zero at birth.

    `checkpointed` recomputes the branch in backward instead of keeping it. Not the reentrant
    kind: that one gives no gradient at all to a seed whose input is detached.
    """

    def __init__(
        self, dim: int, expansion: int, *, dropout: float = 0.0, checkpointed: bool = False
    ) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, expansion * dim)
        self.contract = nn.Linear(expansion * dim, dim)
        self.dropout = dropout
        self.checkpointed = checkpointed
        nn.init.zeros_(self.contract.weight)
        nn.init.zeros_(self.contract.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape, each token by itself."""
        if self.checkpointed:
            branch: Tensor = checkpoint(self.branch, x, use_reentrant=False)
            return x + branch.to(x.dtype)
        return x + self.branch(x).to(x.dtype)

    def branch(self, x: Tensor) -> Tensor:
        """Return what is added to `x`."""
        wide = F.gelu(self.expand(x))  # (batch, tokens, expansion * width)
        narrow: Tensor = self.contract(F.dropout(wide, self.dropout, self.training))
        return narrow  # (batch, tokens, width)


@BlueprintRegistry.register(
    "mlp", topology="transformer", param_count=lambda dim: 2 * EXPANSION * dim**2 + 5 * dim
)
def mlp(dim: int, *, dropout: float = 0.0, checkpointed: bool = False) -> FeedForward:
    """Return a feed-forward seed of expansion 4."""
    return FeedForward(dim, EXPANSION, dropout=dropout, checkpointed=checkpointed)
