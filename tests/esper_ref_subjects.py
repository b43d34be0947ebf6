"""What esper_ref promises: every blueprint, operator, slot and model of it, as subjects for the probes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from esper_audit.inputs import ids, pictures, sequences
from esper_audit.subject import Blend, Blueprint, Catalogue, Module, Promise, State, Subject, promise
from esper_ref import (
    AlphaAlgorithm,
    BlueprintRegistry,
    BlueprintSpec,
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
    blend_add,
    blend_gate,
    blend_multiply,
    multiply_valve_multiplier,
)
from esper_ref.isolation import BLENDED_STAGES

INPUTS = {"cnn": pictures, "transformer": sequences}
LIVELY = {"cnn": "conv_light", "transformer": "attention"}
VOCABULARY = 11
DIMS = (8, 1, 3, 16)
# Evidence of any value passes, and times are short: probes are about what comes after the gates.
RULES = SlotRules(
    gates=QualityGates(
        GateThresholds(
            gradient_ratio=0.0,
            min_training_epochs=1,
            min_improvement=-101.0,
            shadow_epochs=1,
            max_contribution_spread=1000.0,
            min_contribution=-101.0,
        )
    ),
    timing=LifecycleTiming(blend_epochs=4),
)
ISOLATING = replace(
    RULES, isolation=IsolationPolicy().with_isolation("transformer", *BLENDED_STAGES)
)


def subjects() -> list[Subject]:
    """Return everything; the configuration names this function."""
    return [*blueprints(), *catalogues(), *blends(), *models()]


def blueprints() -> Iterator[Blueprint]:
    for topology, inputs in INPUTS.items():
        for spec in BlueprintRegistry.list_for_topology(topology):
            yield Blueprint(
                name=f"{topology}/{spec.name}",
                build=spec.build,
                inputs=inputs,
                dims=DIMS,
                estimate=spec.param_estimate,
                blends=BLENDS,
                promises=list(_promises_of(spec)),
            )


def _promises_of(spec: BlueprintSpec) -> Iterator[Promise]:
    yield promise("param-estimate")
    yield promise("identity-at-birth")
    if spec.name != "noop":
        yield promise("learns-at-birth")
    if spec.topology == "transformer":
        yield promise("causality")


def _add(host: Tensor, seed: Tensor, _fed: Tensor, alpha: Tensor) -> Tensor:
    return blend_add(host, seed, alpha)


def _multiply(host: Tensor, seed: Tensor, fed: Tensor, alpha: Tensor) -> Tensor:
    return blend_multiply(host, seed, alpha, seed_input=fed)


def _gate(host: Tensor, seed: Tensor, _fed: Tensor, alpha: Tensor) -> Tensor:
    return blend_gate(host, seed, alpha, torch.full_like(host, 0.7))


BLENDS = {"add": _add, "multiply": _multiply, "gate": _gate}


def catalogues() -> Iterator[Catalogue]:
    for topology in INPUTS:
        specs = BlueprintRegistry.list_for_topology(topology)
        recipes = {spec.name: (spec.build, spec.param_estimate) for spec in specs}
        yield Catalogue(
            name=f"{topology}/registry",
            build=partial(dict, recipes),
            promises=[promise("param-estimate")],
        )


def lead(slot: SeedSlot, stage: SeedStage) -> None:
    """Lead a slot that holds a seed to a stage by its gates; to BLENDING means half way through it."""
    for _ in range(40):
        if slot.state.stage is stage:
            break
        slot.state.metrics.seed_gradient_norm_ratio = 1.0
        slot.state.metrics.record_accuracy(50.0)
        slot.state.metrics.record_counterfactual(1.0)
        slot.step_epoch()
    if stage is SeedStage.BLENDING:
        slot.set_alpha(0.5)
    assert slot.state.stage is stage


class HostAndSlot(nn.Module):
    """A layer of a host, and a slot behind it."""

    def __init__(self, dim: int, topology: str, algorithm: AlphaAlgorithm) -> None:
        super().__init__()
        self.host: nn.Module = nn.Sequential(nn.Conv2d(dim, dim, 1), nn.BatchNorm2d(dim))
        if topology == "transformer":
            self.host = nn.Linear(dim, dim)
        self.slot = SeedSlot("r0c0", dim, topology=topology, rules=ISOLATING)
        self.slot.germinate(LIVELY[topology], alpha_algorithm=algorithm)

    def forward(self, x: Tensor) -> Tensor:
        return self.slot(self.host(x))


def direct(whole: HostAndSlot, features: Tensor) -> Tensor:
    """Return the blend with the seed held still."""
    slot, still = whole.slot, features.detach()
    if slot.path == "incubate":
        return features
    seed = slot.seed(still).detach()  # type: ignore[misc]  # there is one in every stage asked for
    if slot.algorithm == AlphaAlgorithm.MULTIPLY.value:
        return features * multiply_valve_multiplier(slot.alpha, seed - still).detach()
    gate = torch.ones(()) if slot.gate is None else slot.gate.get_alpha_for_blend(still).detach()
    return torch.lerp(features, seed, (slot.alpha * gate).to(features.dtype))


STAGES: dict[str, State] = {
    stage.name.lower(): lambda whole, stage=stage: lead(whole.slot, stage)
    for stage in (SeedStage.TRAINING, SeedStage.BLENDING, SeedStage.FOSSILIZED)
}


def blends() -> Iterator[Blend]:
    for topology, inputs in INPUTS.items():
        for algorithm in AlphaAlgorithm:
            yield Blend(
                name=f"{topology}/slot-{algorithm.value}",
                build=partial(HostAndSlot, topology=topology, algorithm=algorithm),
                inputs=inputs,
                dims=(8,),
                states=STAGES,
                features=lambda whole, x: whole.host(x),
                blend=lambda whole, features: whole.slot(features),
                direct=direct,
                host=lambda whole: [whole.host],
                seed=lambda whole: whole.slot.parts(),
                operator=blend_multiply,
                omitting=_multiply_without_seed_input,
                promises=[promise("seed-input-isolation")],
            )


def _multiply_without_seed_input(operator: Callable[..., object]) -> object:
    return operator(torch.ones(2), torch.ones(2), torch.ones(()))


def model(topology: str, algorithm: AlphaAlgorithm, _dim: int) -> MorphogeneticModel:
    """Return a small model with a seed in its first slot."""
    host: nn.Module = CNNHost(5, 2, 8, in_channels=8)
    if topology == "transformer":
        host = TransformerHost(VOCABULARY, n_embd=16, n_head=2, n_layer=2, block_size=64)
    grown = MorphogeneticModel(host, slots=["r0c0", "r0c1"], rules=RULES)
    grown.germinate_seed(LIVELY[topology], slot="r0c0", alpha_algorithm=algorithm)
    return grown


def models() -> Iterator[Module]:
    in_stage: dict[str, State] = {
        stage.name.lower(): lambda grown, stage=stage: lead(grown.slot("r0c0"), stage)
        for stage in (SeedStage.TRAINING, SeedStage.BLENDING, SeedStage.FOSSILIZED)
    }
    for algorithm in AlphaAlgorithm:
        yield Module(
            name=f"transformer/model-{algorithm.value}",
            build=partial(model, "transformer", algorithm),
            inputs=ids(VOCABULARY),
            states=in_stage,
            embedding=lambda grown: grown.host.token_embedding,
            promises=[promise("causality", in_states=("blending", "fossilized"))],
        )
