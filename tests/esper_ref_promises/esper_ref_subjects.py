"""The subjects of esper_ref: every blueprint, operator, slot and model, with its promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from esper_ref_evidence import gates
from esper_ref_functions import functions
from esper_ref_lives import (
    CHANNELS,
    ISOLATING,
    MODEL_INPUTS,
    HostAndSlot,
    dormant_model,
    give_evidence,
    host,
    model,
    slot_of,
    stages,
)
from esper_ref_runs import runs
from torch import Tensor

from esper_audit.subject import (
    Blend,
    Blueprint,
    Catalogue,
    Checkpointed,
    Conformance,
    Draw,
    Grown,
    Host,
    Module,
    ObservedGate,
    Promise,
    Subject,
    pictures,
    promise,
    sequences,
)
from esper_ref import (
    AlphaAlgorithm,
    BlueprintRegistry,
    BlueprintSpec,
    HostProtocol,
    SeedSlot,
    SeedStage,
    blend_add,
    blend_gate,
    blend_multiply,
)
from esper_ref.blueprint import BlueprintOption
from esper_ref.blueprints.transformer_flex_attention import only_earlier
from esper_ref.evidence import AlphaHolder

INPUTS = {"cnn": pictures, "transformer": sequences}
DIMS = (8, 1, 3, 11, 16)  # 11 is prime
COUNTED = (1, 3, 16, 48, 64, 128, 256, 512, 1024, 4096)  # widths at which parameters are counted
BLENDED = (SeedStage.BLENDING, SeedStage.FOSSILIZED)
BEHIND_THE_HOST = (SeedStage.GERMINATED, SeedStage.TRAINING, SeedStage.CULLED)


def subjects() -> list[Subject]:
    """Return all subjects.

    The configuration names this function.
    """
    return [
        *blueprints(),
        *blueprints_elsewhere(),
        *blueprints_with_options(),
        flex_mask(),
        *catalogues(),
        *slots(),
        *slots_alone(),
        *gated_slots(),
        *models(),
        *runs(),
        *hosts(),
        *functions(),
        *gates(),
    ]


def _add(host: Tensor, seed: Tensor, _fed: Tensor, alpha: Tensor) -> Tensor:
    return blend_add(host, seed, alpha)


def _multiply(host: Tensor, seed: Tensor, fed: Tensor, alpha: Tensor) -> Tensor:
    return blend_multiply(host, seed, alpha, seed_input=fed)


def _gate(host: Tensor, seed: Tensor, _fed: Tensor, alpha: Tensor) -> Tensor:
    return blend_gate(host, seed, alpha, torch.full_like(host, 0.7))


def blueprints() -> Iterator[Blueprint]:
    for topology, inputs in INPUTS.items():
        for spec in BlueprintRegistry.list_for_topology(topology):
            yield Blueprint(
                name=f"{topology}/{spec.name}",
                build=spec.build,
                inputs=inputs,
                dims=DIMS,
                estimate=spec.param_estimate,
                blends={"add": _add, "multiply": _multiply, "gate": _gate},
                promises=list(_promises_of(spec)),
            )


def _promises_of(spec: BlueprintSpec) -> Iterator[Promise]:
    yield promise("param-estimate", dims=COUNTED)
    yield promise("identity-at-birth")
    yield promise("shape-preserving", aliases=spec.name == "noop", autocast=True)
    yield promise("eval-determinism")
    yield promise("fullgraph")
    if spec.name != "noop":
        yield promise("learns-at-birth")
    if spec.topology == "transformer":
        yield promise("causality")


def blueprints_elsewhere() -> Iterator[Blueprint]:
    """Yield the blueprints for pictures under unusual inputs."""
    for spec in BlueprintRegistry.list_for_topology("cnn"):
        if spec.name != "noop":
            yield Blueprint(
                name=f"cnn/{spec.name}-channels-last",
                build=spec.build,
                inputs=_channels_last,
                dims=(8,),
                promises=[promise("learns-at-birth")],
            )
            yield Blueprint(
                name=f"cnn/{spec.name}-one-pixel",
                build=spec.build,
                inputs=lambda draw: pictures(replace(draw, length=1)),
                dims=(8, 16),
                promises=[promise("learns-at-birth")],
            )


def _channels_last(draw: Draw) -> Tensor:
    return pictures(draw).to(memory_format=torch.channels_last)


OPTIONS: dict[str, dict[str, BlueprintOption]] = {
    "attention": {"dropout": 0.5},
    "flex_attention": {"dropout": 0.5, "n_head": 2},
    "mlp": {"dropout": 0.5, "checkpointed": True},
    "mlp_small": {"dropout": 0.5},
}


def blueprints_with_options() -> Iterator[Blueprint]:
    for name, options in OPTIONS.items():
        spec = BlueprintRegistry.get("transformer", name)
        yield Blueprint(
            name=f"transformer/{name}-with-options",
            build=partial(spec.build, **options),
            inputs=sequences,
            dims=(8,),
            estimate=spec.param_estimate,
            promises=[
                promise("param-estimate", dims=COUNTED),
                promise("learns-at-birth"),
                promise("eval-determinism"),
                promise("causality"),
            ],
        )


def flex_mask() -> Module:
    """Return the mask of FlexAttention as a tensor, since its own backward needs another device."""
    return Module(
        name="transformer/flex-mask",
        build=lambda dim: torch.nn.Linear(dim, dim),
        call=lambda layer, x: _masked(layer(x) @ x.mT).softmax(dim=-1) @ x,
        inputs=sequences,
        dims=(8,),
        promises=[promise("causality")],
    )


def _masked(score: Tensor) -> Tensor:
    q, kv = torch.arange(score.shape[1])[:, None], torch.arange(score.shape[2])
    return only_earlier(score, torch.zeros(()), torch.zeros(()), q, kv)


def catalogues() -> Iterator[Catalogue]:
    for topology in INPUTS:
        specs = BlueprintRegistry.list_for_topology(topology)
        recipes = {spec.name: (spec.build, spec.param_estimate) for spec in specs}
        yield Catalogue(
            name=f"{topology}/registry",
            build=partial(dict, recipes),
            promises=[promise("param-estimate", dims=COUNTED)],
        )


def slots() -> Iterator[Subject]:
    """Yield a slot after a layer of a host, for each operator, isolated in every stage."""
    for topology, inputs in INPUTS.items():
        for algorithm in AlphaAlgorithm:
            blend = Blend(
                name=f"{topology}/slot-{algorithm.value}",
                build=partial(HostAndSlot, topology=topology, algorithm=algorithm),
                inputs=inputs,
                dims=(CHANNELS,),
                states=stages(SeedStage.TRAINING, *BLENDED),
                advance=_alpha_goes_on,
                features=lambda model, x: model.host(x),
                blend=lambda model, features: model.slot(features),
                direct=_direct,
                host=lambda model: [model.host],
                seed=lambda model: model.slot.parts(),
                operator=blend_multiply,
                omitting=_multiply_without_seed_input,
                promises=[
                    promise("seed-input-isolation"),
                    promise("shape-preserving", strict=True),
                    promise("fullgraph", in_states=_compiled(algorithm)),
                ],
            )
            yield blend
            yield replace(
                blend,
                name=f"{blend.name}-in-training",
                states=stages(SeedStage.TRAINING),
                seed=lambda model: [model.slot.seed],
                seed_output=lambda model, features: model.slot.seed(features.detach()),
                promises=[promise("straight-through")],
            )
            if topology == "cnn" and algorithm is AlphaAlgorithm.ADD:
                yield replace(
                    blend,
                    name="cnn/slot-of-group-norm",
                    build=_host_and_group_norm,
                    states=stages(SeedStage.TRAINING, SeedStage.BLENDING),
                    promises=[promise("seed-input-isolation")],
                )
            if algorithm is AlphaAlgorithm.ADD:
                yield replace(
                    blend,
                    name=f"{topology}/slot-of-a-germinated-seed",
                    states=stages(SeedStage.GERMINATED),
                    promises=[promise("straight-through")],
                )
    yield replace(
        blend,
        name="transformer/slot-of-checkpointed-mlp",
        build=partial(
            HostAndSlot,
            topology="transformer",
            algorithm=AlphaAlgorithm.ADD,
            blueprint="mlp",
            checkpointed=True,
        ),
        states=stages(SeedStage.TRAINING),
        seed=lambda model: [model.slot.seed],
        promises=[promise("straight-through")],
    )


def _alpha_goes_on(model: HostAndSlot) -> None:
    if model.slot.state.stage is SeedStage.BLENDING:
        model.slot.set_alpha(model.slot.state.controller.alpha / 2)


# Blueprints that accept inputs of another rank, which their slot must refuse.
EASY_GOING = {"cnn": "conv_light", "transformer": "lora"}


def slots_alone() -> Iterator[Module]:
    for topology, inputs in INPUTS.items():
        yield Module(
            name=f"{topology}/slot-alone",
            build=partial(_slot_alone, topology),
            inputs=inputs,
            dims=(CHANNELS,),
            states=stages(SeedStage.TRAINING, SeedStage.BLENDING),
            promises=[promise("shape-preserving", strict=True, autocast=True)],
        )

    yield from slots_of_other_seeds()


def slots_of_other_seeds() -> Iterator[Subject]:
    """Yield slots with foreign seeds, whose effect on the host the slot must prevent."""
    seeds = {
        "layer": ("cnn", _convolution),
        "linear": ("transformer", _linear),
        "scale": ("cnn", _Scale),
    }
    for name, (topology, seed) in seeds.items():
        for algorithm in AlphaAlgorithm:
            yield Module(
                name=f"{topology}/slot-of-a-{name}-{algorithm.value}",
                build=partial(_slot_of, topology, seed, algorithm),
                inputs=INPUTS[topology],
                dims=(CHANNELS,),
                states=stages(SeedStage.TRAINING, SeedStage.BLENDING),
                promises=[promise("shape-preserving", autocast=True)],
            )


class _Scale(torch.nn.Module):
    """A seed whose float32 parameter promotes features that autocast lowered."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.full((dim, 1, 1), 1.1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def _convolution(dim: int) -> torch.nn.Module:
    return torch.nn.Conv2d(dim, dim, 1)


def _linear(dim: int) -> torch.nn.Module:
    return torch.nn.Linear(dim, dim)


def _slot_of(
    topology: str, layer: Callable[[int], torch.nn.Module], algorithm: AlphaAlgorithm, dim: int
) -> SeedSlot:
    slot = SeedSlot("r0c0", dim, topology=topology, rules=ISOLATING)
    slot.germinate("noop", alpha_algorithm=algorithm)
    slot.seed = layer(dim)
    return slot


def _host_and_group_norm(dim: int) -> HostAndSlot:
    model = HostAndSlot(dim, "cnn", AlphaAlgorithm.ADD)
    model.slot.seed = torch.nn.GroupNorm(1, dim)
    return model


def _slot_alone(topology: str, dim: int) -> SeedSlot:
    slot = SeedSlot("r0c0", dim, topology=topology, rules=ISOLATING)
    slot.germinate(EASY_GOING[topology])
    return slot


def gated_slots() -> Iterator[ObservedGate]:
    for topology, inputs in INPUTS.items():
        yield ObservedGate(
            name=f"{topology}/gated-slot",
            build=partial(HostAndSlot, topology=topology, algorithm=AlphaAlgorithm.GATE),
            inputs=inputs,
            dims=(CHANNELS,),
            states=stages(*BLENDED),
            statistics=lambda model: vars(model.slot.state.metrics.gate_statistics),
            gate=lambda model, x: model.slot.gate.get_alpha_for_blend(model.host(x)),
            gate_parameters=lambda model: list(model.slot.gate.parameters()),
            learning=lambda model: list(model.slot.parameters()),
            promises=[promise("gate-observable")],
        )
        yield ObservedGate(
            name=f"{topology}/gated-model",
            build=partial(model, topology, AlphaAlgorithm.GATE),
            inputs=MODEL_INPUTS[topology],
            dims=(CHANNELS,),
            states=stages(SeedStage.BLENDING),
            statistics=lambda grown: vars(slot_of(grown).state.metrics.gate_statistics),
            gate=_gate_of_model,
            gate_parameters=lambda grown: list(slot_of(grown).gate.parameters()),
            learning=lambda grown: list(grown.get_seed_parameters()),
            promises=[promise("gate-observable")],
        )


def _gate_of_model(grown: Any, x: Tensor) -> Tensor:
    features = grown.host.forward_to_segment("r0c0", x)
    gate: Tensor = slot_of(grown).gate.get_alpha_for_blend(features)
    return gate


def _compiled(algorithm: AlphaAlgorithm) -> tuple[str, ...]:
    """Return the stages in which the forward takes a path of its own, each with its own graph."""
    return ("training", "blending") if algorithm is AlphaAlgorithm.ADD else ("blending",)


def _direct(model: HostAndSlot, features: Tensor) -> Tensor:
    """Return the blend with a detached seed, computed by formula from the alpha of the controller."""
    slot, still, alpha = model.slot, features.detach(), model.slot.state.controller.alpha
    if slot.state.stage is SeedStage.TRAINING or slot.seed is None:
        return features
    seed = slot.seed(still.contiguous()).detach()
    if slot.state.alpha_algorithm is AlphaAlgorithm.MULTIPLY:
        return features * (1.0 + alpha * torch.tanh(seed - still))
    gate = torch.ones(()) if slot.gate is None else slot.gate.get_alpha_for_blend(still).detach()
    return features + alpha * gate * (seed - features)


def _multiply_without_seed_input(operator: Callable[..., object]) -> object:
    return operator(torch.ones(2), torch.ones(2), torch.ones(()))


def models() -> Iterator[Subject]:
    for topology, inputs in MODEL_INPUTS.items():
        for algorithm in AlphaAlgorithm:
            yield Checkpointed(
                name=f"{topology}/model-{algorithm.value}",
                build=partial(model, topology, algorithm),
                fresh=partial(dormant_model, topology),
                inputs=inputs,
                dims=(CHANNELS,),
                states=stages(*(s for s in SeedStage if s is not SeedStage.DORMANT)),
                embedding=_embedding if topology == "transformer" else None,
                advance=_epoch,
                promises=[
                    promise("checkpoint-round-trip"),
                    promise("eval-determinism", in_states=_names(BLENDED)),
                    *_causal(topology),
                ],
            )
        yield Grown(
            name=f"{topology}/grown",
            build=partial(model, topology, AlphaAlgorithm.ADD),
            inputs=inputs,
            dims=(CHANNELS,),
            states=stages(*BEHIND_THE_HOST),
            host=lambda grown: grown.host,
            alone=lambda bare, x: bare(x),
            seed_parameters=lambda grown: list(grown.get_seed_parameters()),
            promises=[promise("host-untouched"), promise("eval-determinism")],
        )


def _causal(topology: str) -> list[Promise]:
    causal = promise("causality", in_states=_names(BLENDED))
    return [causal] if topology == "transformer" else []


def _names(stages: Iterable[SeedStage]) -> tuple[str, ...]:
    return tuple(stage.name.lower() for stage in stages)


def _embedding(grown: Any) -> Any:
    return grown.get_submodule("host").token_embedding


def _epoch(grown: Any) -> None:
    slot = slot_of(grown)
    if slot.is_active:
        give_evidence(slot)
    if slot.state.stage is not SeedStage.DORMANT:
        slot.step_epoch()


def hosts() -> Iterator[Subject]:
    for topology, inputs in MODEL_INPUTS.items():
        yield Host(
            name=f"{topology}/host",
            build=partial(host, topology),
            inputs=inputs,
            dims=(CHANNELS,),
            embedding=(lambda bare: bare.token_embedding) if topology == "transformer" else None,
            slots=lambda bare: [spec.slot_id for spec in bare.injection_specs()],
            to_segment=lambda bare, slot, x, here: bare.forward_to_segment(slot, x, here),
            from_segment=lambda bare, slot, x: bare.forward_from_segment(slot, x),
            promises=[
                promise("segment-routing"),
                promise("fullgraph"),
                promise("eval-determinism"),
                *([promise("causality")] if topology == "transformer" else []),
            ],
        )
        if topology == "transformer":
            yield Host(
                name=f"{topology}/host-with-dropout",
                build=partial(host, topology, dropout=0.5),
                inputs=inputs,
                dims=(CHANNELS,),
                slots=lambda bare: [spec.slot_id for spec in bare.injection_specs()],
                to_segment=lambda bare, slot, x, here: bare.forward_to_segment(slot, x, here),
                from_segment=lambda bare, slot, x: bare.forward_from_segment(slot, x),
                promises=[promise("segment-routing"), promise("eval-determinism")],
            )
        yield Conformance(
            name=f"{topology}/host-protocol",
            build=partial(host, topology),
            protocol=HostProtocol,
            promises=[promise("protocol-conformance")],
        )
        yield Conformance(
            name=f"{topology}/slot-protocol",
            build=partial(_slot, topology),
            protocol=AlphaHolder,
            promises=[promise("protocol-conformance")],
        )


def _slot(topology: str) -> object:
    return slot_of(dormant_model(topology))
