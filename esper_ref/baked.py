"""BakedModel: a host with seeds as ordinary modules, for inference, export and fine-tuning."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from esper_ref.alpha import AlphaAlgorithm
from esper_ref.blending import GatedBlend
from esper_ref.blueprint import BlueprintOption, BlueprintRegistry
from esper_ref.errors import SlotError
from esper_ref.host import HostProtocol, require_host
from esper_ref.isolation import settled
from esper_ref.lifecycle import SeedStage
from esper_ref.routed_forward import RoutedForward
from esper_ref.snapshot import read_options
from esper_ref.strict import read, require_keys, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esper_ref.model import MorphogeneticModel
    from esper_ref.slot import SeedSlot


@dataclass(frozen=True)
class SeedRecipe:
    """What a seed of a finished network is made of, in plain types."""

    blueprint_id: str
    algorithm: AlphaAlgorithm = AlphaAlgorithm.ADD
    options: Mapping[str, BlueprintOption] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return plain types, which JSON can hold."""
        return asdict(self) | {"algorithm": self.algorithm.value, "options": dict(self.options)}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> SeedRecipe:
        """Return what `to_dict` wrote. Another key or a wrong value is an error."""
        require_keys("SeedRecipe", d, ("blueprint_id", "algorithm", "options"))
        return cls(
            read("SeedRecipe", d, "blueprint_id", text),
            AlphaAlgorithm(read("SeedRecipe", d, "algorithm", text)),
            read("SeedRecipe", d, "options", read_options),
        )


class BakedSeed(nn.Module):
    """A seed and what it does to the features, at alpha 1."""

    def __init__(self, seed: nn.Module, gate: GatedBlend | None, algorithm: AlphaAlgorithm) -> None:
        super().__init__()
        self.seed, self.gate, self.algorithm = seed, gate, algorithm.value

    def forward(self, h: Tensor) -> Tensor:
        """Map host features to features of the same shape and dtype.

        ADD is lerp(h, s, 1) = s, MULTIPLY is h (1 + tanh(s - u)), GATE is lerp(h, s, gate).
        """
        u = h.contiguous()  # as a slot feeds it: another memory format would round otherwise
        s: Tensor = self.seed(u)
        if self.algorithm == AlphaAlgorithm.MULTIPLY.value:
            return h * (1.0 + torch.tanh(s - u)).to(h.dtype)
        if self.gate is None:
            return settled(h, s)
        gate = self.gate.get_alpha_for_blend(u).to(h.dtype)
        return torch.lerp(h, s.to(h.dtype), gate)


class BakedModel(nn.Module):
    """A host with a seed of each of `recipes` (slot id to recipe) built in, at alpha 1.

    It has no slots, stages or gates: every parameter is an ordinary one. New seeds are drawn at
    birth, where they are the identity; `bake` makes one with the seeds of a grown model.
    """

    host: HostProtocol

    def __init__(self, host: nn.Module, recipes: Mapping[str, SeedRecipe]) -> None:
        super().__init__()
        self.host = require_host(host)
        widths = {spec.slot_id: spec.channels for spec in self.host.injection_specs()}
        unknown = sorted(recipes.keys() - widths.keys())
        if unknown:
            raise SlotError(
                f"BakedModel: got recipes for {unknown}, expected some of {', '.join(widths)}"
            )
        self.recipes = {slot_id: recipes[slot_id] for slot_id in widths if slot_id in recipes}
        self.routed = RoutedForward(host, self.recipes)
        self.seeds = nn.ModuleDict()
        for slot_id, recipe in self.recipes.items():
            self.seeds[slot_id] = self._make(recipe, widths[slot_id])

    def _make(self, recipe: SeedRecipe, channels: int) -> BakedSeed:
        topology, causal = self.host.topology, self.host.causal
        spec = BlueprintRegistry.get(topology, recipe.blueprint_id)
        seed = spec.build(channels, **spec.options_in(causal=causal, options=recipe.options))
        is_gated = recipe.algorithm is AlphaAlgorithm.GATE
        gate = GatedBlend(channels, topology, causal=causal) if is_gated else None
        return BakedSeed(seed, gate, recipe.algorithm)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Map what the host takes to what the host returns."""
        return self.routed(self.host, self.seeds, args, kwargs)


def bake(model: MorphogeneticModel) -> BakedModel:
    """Return a copy of a grown model without its slots: in eval mode the outputs are the same.

    Every seed has to be fossilized and every other slot empty. A seed on trial raises
    `SlotError`. The copy shares no tensor with the model, and keeps its mode, device and dtype.
    """
    slots = [model.slot(slot_id) for slot_id in model.route]
    undecided = [slot for slot in slots if slot.is_active and not _is_settled(slot)]
    if undecided:
        found = ", ".join(f"{s.slot_id} in {s.state.stage.name}" for s in undecided)
        raise SlotError(
            f"bake: got seeds that are not fossilized ({found}). Go on until they are, or cull them."
        )
    fossils = [slot for slot in slots if slot.is_active]
    with torch.random.fork_rng(devices=[]):  # the new seeds are overwritten: no draw counts
        baked = BakedModel(
            copy.deepcopy(model.get_submodule("host")),
            {slot.slot_id: _recipe_of(slot) for slot in fossils},
        )
    for slot in fossils:
        seed, gate = copy.deepcopy((slot.seed, slot.gate))
        if seed is not None:
            baked.seeds[slot.slot_id] = BakedSeed(seed, gate, slot.state.alpha_algorithm)
    for part in (baked, baked.seeds, *baked.seeds.values()):  # what they hold has modes of its own
        part.training = model.training
    return baked


def _is_settled(slot: SeedSlot) -> bool:
    return slot.state.stage is SeedStage.FOSSILIZED and slot.forced_alpha is None


def _recipe_of(slot: SeedSlot) -> SeedRecipe:
    return SeedRecipe(
        f"{slot.state.blueprint_id}", slot.state.alpha_algorithm, dict(slot.blueprint_options)
    )
