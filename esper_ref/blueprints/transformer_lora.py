"""lora: a low-rank update of each token, of rank 8."""

from __future__ import annotations

from torch import Tensor, nn

from esper_ref.blueprint import BlueprintRegistry

RANK = 8


class LowRank(nn.Module):
    """x + up(down(x)), with `up` at zero at birth (Hu et al., 2021)."""

    def __init__(self, dim: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(dim, rank, bias=False)
        self.up = nn.Linear(rank, dim, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, tokens, width) to the same shape, each token by itself."""
        branch: Tensor = self.up(self.down(x))  # (batch, tokens, rank) in between
        return x + branch.to(x.dtype)


@BlueprintRegistry.register("lora", topology="transformer", param_count=lambda dim: 2 * RANK * dim)
def lora(dim: int) -> LowRank:
    """Return a low-rank seed of rank 8."""
    return LowRank(dim, RANK)
