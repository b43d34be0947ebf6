"""A host with seeds built in from the start: what growing is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from esper_ref.alpha import AlphaAlgorithm
from esper_ref.blending import GatedBlend
from esper_ref.blueprint import BlueprintRegistry
from esper_ref.host import require_host
from esper_ref.isolation import blend_with_isolation

if TYPE_CHECKING:
    from collections.abc import Mapping


class InlineSeeds(nn.Module):
    """A host with a blueprint's module at some of its slots from the first step on, at alpha 1.

    It has no slots, stages or gates. `blueprints` maps slot ids to blueprint names.
    """

    full: Tensor

    def __init__(
        self, host: nn.Module, blueprints: Mapping[str, str], algorithm: AlphaAlgorithm
    ) -> None:
        super().__init__()
        self.host = require_host(host)
        self.algorithm = algorithm
        self.route = [s.slot_id for s in self.host.injection_specs() if s.slot_id in blueprints]
        self.seeds, self.gates = nn.ModuleDict(), nn.ModuleDict()
        self.register_buffer("full", torch.ones(()))
        for spec in self.host.injection_specs():
            if spec.slot_id in blueprints:
                self.seeds[spec.slot_id] = BlueprintRegistry.create(
                    self.host.topology, blueprints[spec.slot_id], spec.channels
                )
                if algorithm is AlphaAlgorithm.GATE:
                    self.gates[spec.slot_id] = GatedBlend(spec.channels, self.host.topology)

    def forward(self, x: Tensor) -> Tensor:
        """Map the host's inputs to the host's outputs."""
        here = None
        for slot_id in self.route:
            x = self.host.forward_to_segment(slot_id, x, from_segment=here)
            x = self._blend(slot_id, x)
            here = slot_id
        return self.host.forward(x) if here is None else self.host.forward_from_segment(here, x)

    def _blend(self, slot_id: str, x: Tensor) -> Tensor:
        gate = None
        if slot_id in self.gates:
            learned = cast("GatedBlend", self.gates[slot_id])  # nothing else is put there
            gate = learned.get_alpha_for_blend(x)
        return blend_with_isolation(
            x, self.seeds[slot_id](x), self.full, seed_input=x, algorithm=self.algorithm, gate=gate
        )
