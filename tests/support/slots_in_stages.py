"""Small models and slots in each stage, reached through the public interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from esper_ref import (
    AlphaAlgorithm,
    BlueprintRegistry,
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

if TYPE_CHECKING:
    from collections.abc import Iterable

    from esper_ref.telemetry import Telemetry

TOPOLOGIES = ("cnn", "transformer")
BLUEPRINTS = [
    (topology, spec.name)
    for topology in TOPOLOGIES
    for spec in BlueprintRegistry.list_for_topology(topology)
]
LEARNING = [(topology, name) for topology, name in BLUEPRINTS if name != "noop"]
LIVELY = {"cnn": "conv_light", "transformer": "attention"}
ALGORITHMS = tuple(AlphaAlgorithm)
ACTIVE = tuple(s for s in SeedStage if SeedStage.GERMINATED <= s <= SeedStage.FOSSILIZED)
BLENDED = tuple(s for s in SeedStage if SeedStage.BLENDING <= s <= SeedStage.FOSSILIZED)

# Gates that evidence of any value passes, and short times: for tests of what comes after a gate.
LENIENT = GateThresholds(
    gradient_ratio=0.0,
    min_training_epochs=1,
    min_improvement=-101.0,
    shadow_epochs=1,
    max_contribution_spread=1000.0,
    min_contribution=-101.0,
    contribution_epochs=1,
)


def lenient_rules(isolation: IsolationPolicy | None = None) -> SlotRules:
    return SlotRules(
        gates=QualityGates(LENIENT),
        isolation=IsolationPolicy() if isolation is None else isolation,
        timing=LifecycleTiming(blend_epochs=4),
    )


def features(topology: str, channels: int = 8, batch: int = 2) -> Tensor:
    shape = (batch, channels, 6, 5) if topology == "cnn" else (batch, 7, channels)
    return torch.randn(shape)


def make_slot(
    topology: str,
    blueprint: str | None = None,
    *,
    channels: int = 8,
    algorithm: AlphaAlgorithm = AlphaAlgorithm.ADD,
    rules: SlotRules | None = None,
    telemetry: Telemetry | None = None,
) -> SeedSlot:
    slot = SeedSlot(
        "r0c0",
        channels,
        topology=topology,
        rules=lenient_rules() if rules is None else rules,
        telemetry=telemetry,
    )
    if blueprint is not None:
        slot.germinate(blueprint, blend_algorithm_id="linear", alpha_algorithm=algorithm)
    return slot


def make_model(
    topology: str, *, rules: SlotRules | None = None, telemetry: Telemetry | None = None
) -> MorphogeneticModel:
    rules = lenient_rules() if rules is None else rules
    host: nn.Module = CNNHost(5, 2, 8, in_channels=1)
    if topology == "transformer":
        host = TransformerHost(11, n_embd=16, n_head=2, n_layer=2, block_size=40, num_segments=2)
    return MorphogeneticModel(host, slots=["r0c0", "r0c1"], rules=rules, telemetry=telemetry)


def inputs(topology: str, batch: int = 3) -> Tensor:
    if topology == "cnn":
        return torch.randn(batch, 1, 8, 8)
    return torch.randint(0, 11, (batch, 9))


def give_evidence(slot: SeedSlot) -> None:
    slot.state.metrics.seed_gradient_norm_ratio = 1.0
    slot.state.metrics.record_accuracy(50.0)
    slot.state.metrics.record_counterfactual(1.0)


def walk_to(slot: SeedSlot, stage: SeedStage) -> None:
    """Lead a slot that holds a seed to `stage`; to BLENDING means to alpha = 1/2 there."""
    if stage > SeedStage.FOSSILIZED:
        slot.cull("for a test")
    for _ in range(40):
        if slot.state.stage is stage:
            break
        give_evidence(slot)
        slot.step_epoch()
    assert slot.state.stage is stage
    if stage is SeedStage.BLENDING:
        slot.step_epoch()
        slot.step_epoch()
        assert slot.alpha.item() == 0.5


def redraw(parameters: Iterable[nn.Parameter], std: float = 0.5) -> None:
    """Draw trainable parameters anew: a seed at birth hides all it will ever do behind a zero.

    Only finite ones of ordinary size: a mask kept as a parameter must stay a mask.
    """
    with torch.no_grad():
        for parameter in parameters:
            if parameter.requires_grad and bool((parameter.abs() < 1e3).all()):
                parameter.normal_(std=std)
