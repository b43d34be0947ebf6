"""esper_ref: the reference morphogenetic library.

Seeds germinate inside a host network, learn behind it, are blended into it, and are fossilized or
culled. Every contract that an audit checks holds here, and each is to be found in a room of its
own. A file imports only from the floors below it; lowest first:

    errors
    strict, topology
    alpha
    blending
    lifecycle
    isolation, gradients, telemetry, gates, host, group_norm
    distributed, evidence, hosts, blueprint, rules
    blueprints, snapshot, routed_forward
    graft
    gate_evidence, slot_events
    slot
    model
    attribution, baked, checkpoint, policy, tensorboard
    growth
    __main__

To read it as a story: `model`, `slot`, `graft`; then `isolation` and `blending` for what the host
feels, `gates`, `evidence` and `gradients` for who may go on, `blueprints/` and `hosts/` for what
there is to grow.
"""

from __future__ import annotations

from importlib.util import find_spec

from esper_ref.errors import EsperRefError, MissingTorchError

if find_spec("torch") is None:
    raise MissingTorchError(
        "esper_ref needs PyTorch; install it with: pip install 'esper-audit[torch]'"
    )

from esper_ref import blueprints, errors, telemetry
from esper_ref.alpha import AlphaAlgorithm, AlphaController, AlphaCurve, AlphaMode
from esper_ref.baked import BakedModel, SeedRecipe, bake
from esper_ref.blending import (
    GatedBlend,
    GateStatistics,
    blend_add,
    blend_gate,
    blend_multiply,
    gate_effective_alpha,
    multiply_valve_multiplier,
)
from esper_ref.blueprint import BlueprintRegistry, BlueprintSpec
from esper_ref.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from esper_ref.distributed import sync_gate_decision
from esper_ref.evidence import Counterfactual, counterfactual_contribution, force_alpha
from esper_ref.gates import GateLevel, GateResult, GateThresholds, QualityGates
from esper_ref.gradients import (
    BiasCorrectedEMA,
    GradientHealthMonitor,
    GradientRatioNormalization,
    gradient_ratio,
)
from esper_ref.host import HostProtocol, InjectionSpec
from esper_ref.hosts.cnn import CNNHost
from esper_ref.hosts.segmented import SegmentedHost
from esper_ref.hosts.transformer import TransformerHost
from esper_ref.isolation import IsolationPolicy, blend_with_isolation, ste_forward
from esper_ref.lifecycle import (
    VALID_TRANSITIONS,
    LifecycleTiming,
    SeedMetrics,
    SeedStage,
    SeedState,
)
from esper_ref.model import MorphogeneticModel
from esper_ref.policy import EvidenceDriven, GrowthPolicy, Observation, RoundRobin
from esper_ref.rules import SlotRules
from esper_ref.slot import SeedSlot
from esper_ref.telemetry import JsonLinesWriter, Telemetry
from esper_ref.topology import Layout, register_topology, unregister_topology

__all__ = [
    "VALID_TRANSITIONS",
    "AlphaAlgorithm",
    "AlphaController",
    "AlphaCurve",
    "AlphaMode",
    "BakedModel",
    "BiasCorrectedEMA",
    "BlueprintRegistry",
    "BlueprintSpec",
    "CNNHost",
    "Checkpoint",
    "Counterfactual",
    "EsperRefError",
    "EvidenceDriven",
    "GateLevel",
    "GateResult",
    "GateStatistics",
    "GateThresholds",
    "GatedBlend",
    "GradientHealthMonitor",
    "GradientRatioNormalization",
    "GrowthPolicy",
    "HostProtocol",
    "InjectionSpec",
    "IsolationPolicy",
    "JsonLinesWriter",
    "Layout",
    "LifecycleTiming",
    "MissingTorchError",
    "MorphogeneticModel",
    "Observation",
    "QualityGates",
    "RoundRobin",
    "SeedMetrics",
    "SeedRecipe",
    "SeedSlot",
    "SeedStage",
    "SeedState",
    "SegmentedHost",
    "SlotRules",
    "Telemetry",
    "TransformerHost",
    "bake",
    "blend_add",
    "blend_gate",
    "blend_multiply",
    "blend_with_isolation",
    "blueprints",
    "counterfactual_contribution",
    "errors",
    "force_alpha",
    "gate_effective_alpha",
    "gradient_ratio",
    "load_checkpoint",
    "multiply_valve_multiplier",
    "register_topology",
    "save_checkpoint",
    "ste_forward",
    "sync_gate_decision",
    "telemetry",
    "unregister_topology",
]
