"""Which gradients host and seed receive: straight-through forward, isolating blend, policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from esper_ref.alpha import AlphaAlgorithm
from esper_ref.blending import blend_add, blend_gate, blend_multiply
from esper_ref.errors import BlendError, SlotError
from esper_ref.lifecycle import PATH_OF_STAGE, ForwardPath, SeedStage
from esper_ref.topology import LAYOUTS, Topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def ste_forward(host_features: Tensor, seed_features: Tensor) -> Tensor:
    """Return h + (s - s.detach()): the host's values, the seed's gradient.

    The straight-through estimator (Bengio et al., 2013). For finite s the bracket is exactly
    zero, so the output equals h bit for bit; d/dh = 1 and d/ds = 1. A seed that trains this way
    gets the gradient it would get if it were added to the host in full.
    """
    return host_features + (seed_features - seed_features.detach()).to(host_features.dtype)


def seed_input_of(host_features: Tensor, *, isolated: bool) -> Tensor:
    """Return what the seed is fed: the host's features, with the way back cut if `isolated`.

    Made contiguous because GroupNorm's backward on CPU (torch 2.13) segfaults on a channels_last
    input that does not require grad; behind a frozen host a coupled seed gets such an input too.
    """
    return (host_features.detach() if isolated else host_features).contiguous()


def settled(host_features: Tensor, seed_features: Tensor) -> Tensor:
    """Return s in the dtype and memory format of h: what lerp(h, s, 1) returns."""
    if seed_features.stride() == host_features.stride():
        return seed_features.to(host_features.dtype)
    return torch.empty_like(host_features).copy_(seed_features)


def blend_with_isolation(
    host_features: Tensor,
    seed_features: Tensor,
    alpha: Tensor,
    *,
    seed_input: Tensor,
    algorithm: str = AlphaAlgorithm.ADD.value,
    gate: Tensor | None = None,
) -> Tensor:
    """Blend by `algorithm`, with `seed_input` as the only connection between seed and host.

    If `seed_input` is detached, the host's gradient is exactly that of the direct path: 1 - a for
    ADD, the multiplier for MULTIPLY, 1 - a gate for GATE. A gate is computed from `seed_input`.
    """
    if algorithm == AlphaAlgorithm.ADD.value:
        return blend_add(host_features, seed_features, alpha)
    if algorithm == AlphaAlgorithm.MULTIPLY.value:
        return blend_multiply(host_features, seed_features, alpha, seed_input=seed_input)
    if gate is None:
        raise BlendError("blend_with_isolation: GATE needs a gate, got None. Pass gate=... to it.")
    return blend_gate(host_features, seed_features, alpha, gate)


BLENDED_STAGES = tuple(s for s in SeedStage if PATH_OF_STAGE[s] is ForwardPath.BLEND)


@dataclass(frozen=True)
class IsolationPolicy:
    """Whether the seed's gradient is kept from the host, by topology and stage.

    While a seed trains it is always isolated: that is what training behind the host means. From
    BLENDING on the layout of the topology decides, unless the table does. By default a
    CNN host stays isolated and a transformer host is coupled.

    What isolation costs: under ADD the host's own gradient is the direct path's, 1 - alpha, so
    once alpha is 1 the layers *below* an isolated slot get no gradient. That keeps the credit for a
    change with the seed. To let the network adapt once the seed is permanent:
    `IsolationPolicy().with_coupling("cnn", SeedStage.FOSSILIZED)`.
    """

    table: Mapping[tuple[Topology, SeedStage], bool] = field(default_factory=dict)

    def with_coupling(self, topology: Topology, *stages: SeedStage) -> IsolationPolicy:
        """Return the policy in which the host receives the seed's gradient in `stages`."""
        return self._changed(topology, stages, isolated=False)

    def with_isolation(self, topology: Topology, *stages: SeedStage) -> IsolationPolicy:
        """Return the policy in which the host does not receive the seed's gradient in `stages`."""
        return self._changed(topology, stages, isolated=True)

    def isolates(self, topology: Topology, stage: SeedStage) -> bool:
        """Whether the seed is fed a detached tensor in `stage`."""
        if stage not in BLENDED_STAGES:
            return True
        if (topology, stage) in self.table:
            return self.table[topology, stage]
        return LAYOUTS[topology].isolated

    def _changed(
        self, topology: Topology, stages: tuple[SeedStage, ...], *, isolated: bool
    ) -> IsolationPolicy:
        for stage in stages:
            if stage not in BLENDED_STAGES:
                raise SlotError(
                    f"IsolationPolicy: {stage.name} is not open to choice (a seed that trains is "
                    f"isolated). Choose among {', '.join(s.name for s in BLENDED_STAGES)}."
                )
        return IsolationPolicy({**self.table, **{(topology, s): isolated for s in stages}})
