"""Small models and slots of esper_ref, and functions that lead them to each stage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from esper_audit.subject import State, ids, pictures
from esper_ref import (
    AlphaAlgorithm,
    CNNHost,
    GateThresholds,
    IsolationPolicy,
    LifecycleTiming,
    MorphogeneticModel,
    QualityGates,
    SeedSlot,
    SeedStage,
    SlotRules,
    TransformerHost,
)
from esper_ref.blueprint import BlueprintOption
from esper_ref.isolation import BLENDED_STAGES

LIVELY = {"cnn": "conv_light", "transformer": "attention"}
OPTIONS: dict[str, dict[str, BlueprintOption]] = {"cnn": {}, "transformer": {"n_head": 2}}
VOCABULARY = 11
CHANNELS = 8
MODEL_INPUTS = {"cnn": pictures, "transformer": ids(VOCABULARY)}
# Thresholds are lenient and times short, because these probes do not concern the gates.
RULES = SlotRules(
    gates=QualityGates(
        GateThresholds(
            gradient_ratio=0.0,
            min_training_epochs=1,
            min_improvement=-101.0,
            shadow_epochs=1,
            max_contribution_spread=1000.0,
            min_contribution=-101.0,
            contribution_epochs=1,
        )
    ),
    timing=LifecycleTiming(blend_epochs=4),
)
ISOLATING = replace(
    RULES, isolation=IsolationPolicy().with_isolation("transformer", *BLENDED_STAGES)
)


def lead(slot: SeedSlot, stage: SeedStage) -> None:
    """Lead a slot with a seed through its gates to a stage, for BLENDING to its middle."""
    if stage > SeedStage.FOSSILIZED:
        slot.cull("for a probe")
    for _ in range(40):
        if slot.state.stage is stage:
            break
        give_evidence(slot)
        slot.step_epoch()
    if stage is SeedStage.BLENDING:
        slot.set_alpha(0.5)
    assert slot.state.stage is stage


def give_evidence(slot: SeedSlot) -> None:
    """Record the evidence of all gates."""
    slot.state.metrics.seed_gradient_norm_ratio = 1.0
    slot.state.metrics.record_accuracy(50.0)
    slot.state.metrics.record_counterfactual(1.0)


def stages(*selected: SeedStage) -> dict[str, State]:
    """Return states by the names of stages, for an object with a slot."""

    def leading(stage: SeedStage) -> State:
        return lambda model: lead(slot_of(model), stage)

    return {stage.name.lower(): leading(stage) for stage in selected}


def ramping(model: Any) -> None:
    """Lead to BLENDING, a step into a ramp of eight."""
    slot = slot_of(model)
    lead(slot, SeedStage.BLENDING)
    slot.retarget_alpha(alpha_target=1.0, alpha_steps_total=8)


def learned(model: Any) -> None:
    """Lead to BLENDING, with a seed that changed since its birth."""
    slot = slot_of(model)
    lead(slot, SeedStage.BLENDING)
    for part in slot.parts():
        for parameter in part.parameters():
            nn.init.normal_(parameter)


def slot_of(model: Any) -> SeedSlot:
    """Return the slot of an object, the first one of a model."""
    if isinstance(model, SeedSlot):
        return model
    if isinstance(model, MorphogeneticModel):
        return model.slot("r0c0")
    slot: SeedSlot = model.slot
    return slot


class HostAndSlot(nn.Module):
    """A layer of a host, followed by a slot."""

    def __init__(
        self,
        dim: int,
        topology: str,
        algorithm: AlphaAlgorithm,
        blueprint: str = "",
        **options: BlueprintOption,
    ) -> None:
        super().__init__()
        self.host: nn.Module = nn.Sequential(nn.Conv2d(dim, dim, 1), nn.BatchNorm2d(dim))
        if topology == "transformer":
            self.host = nn.Linear(dim, dim)
        self.slot = SeedSlot("r0c0", dim, topology=topology, rules=ISOLATING)
        self.slot.germinate(
            blueprint or LIVELY[topology], alpha_algorithm=algorithm, blueprint_options=options
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.slot(self.host(x))


def host(topology: str, _dim: int = CHANNELS, *, dropout: float = 0.0) -> nn.Module:
    """Return a small host."""
    if topology == "transformer":
        return TransformerHost(
            VOCABULARY, n_embd=16, n_head=2, n_layer=2, block_size=64, dropout=dropout
        )
    return CNNHost(5, 2, 8, in_channels=CHANNELS, pooled_blocks=1)


def dormant_model(topology: str, _dim: int = CHANNELS) -> MorphogeneticModel:
    """Return a small model with two empty slots, whose names are in another order than in the host."""
    return MorphogeneticModel(host(topology), slots=["r0c1", "r0c0"], rules=RULES)


def model(
    topology: str,
    algorithm: AlphaAlgorithm,
    _dim: int = CHANNELS,
    dtype: torch.dtype = torch.float32,
) -> MorphogeneticModel:
    """Return a small model with a seed in its first slot."""
    grown = dormant_model(topology)
    if dtype is not torch.float32:
        grown.to(dtype)
    grown.germinate_seed(
        LIVELY[topology],
        slot="r0c0",
        alpha_algorithm=algorithm,
        blueprint_options=OPTIONS[topology],
    )
    return grown
