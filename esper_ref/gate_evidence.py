"""What a slot measures of its seed before the gate of a stage is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esper_ref.evidence import is_finite, looks_ahead, probe_shape_of
from esper_ref.gates import GATE_OF_STAGE, GateLevel
from esper_ref.topology import LAYOUTS

if TYPE_CHECKING:
    from esper_ref.graft import Graft
    from esper_ref.lifecycle import SeedStage


def gather_evidence(slot: Graft, target: SeedStage) -> None:
    """Measure what the gate of `target` reads and the slot itself can know."""
    gate, metrics = GATE_OF_STAGE[target], slot.state.metrics
    if gate is GateLevel.G1:
        _try_seed(slot)
    if gate is GateLevel.G2 and slot.monitor.has_observed:
        metrics.record_gradient_ratio(slot.monitor.ratio())
    if gate is GateLevel.G5:
        finite_gradients = slot.monitor.gradients_are_finite is not False
        metrics.seed_is_healthy = finite_gradients and is_finite(*slot.parts())


def _try_seed(slot: Graft) -> None:
    """Run the seed on features of the shape that the slot last saw."""
    if slot.seed is None:
        return
    batch = min(2, slot.feature_shape[0])
    features = slot.alpha.new_zeros((batch, *slot.feature_shape[1:]))
    slot.state.shape_probe = probe_shape_of(slot.seed, features)
    axis = LAYOUTS[slot.topology].position_axis if slot.causal else None
    if axis is not None and slot.state.shape_probe.failure is None:
        slot.state.looks_ahead = looks_ahead(slot.seed, features, axis)
