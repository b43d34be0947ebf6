"""noop: a seed that does nothing, to measure what having one costs."""

from __future__ import annotations

from torch import Tensor, nn

from esper_ref.blueprint import BlueprintRegistry


@BlueprintRegistry.register("noop", topology="transformer", param_count=lambda _dim: 0)
class TokenNoop(nn.Module):
    """x."""

    def __init__(self, _dim: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` itself."""
        return x
