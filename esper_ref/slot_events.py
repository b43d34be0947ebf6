"""The events of a slot, made of its state and of what a gate decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from esper_ref.gates import GateLevel
from esper_ref.telemetry import Event, GateEvaluated, GateStatisticsRecorded, NearThreshold

if TYPE_CHECKING:
    from esper_ref.gates import GateResult, GateThresholds
    from esper_ref.lifecycle import SeedStage, SeedState


def gate_events(
    state: SeedState, target: SeedStage, result: GateResult, thresholds: GateThresholds
) -> Iterator[Event]:
    """Yield what the gate of `target` decided, and whether a ratio was near its threshold."""
    blueprint, ratio = f"{state.blueprint_id}", state.metrics.seed_gradient_norm_ratio
    yield GateEvaluated(
        state.slot_id,
        f"{state.seed_id}",
        blueprint,
        gate=result.gate.name,
        target=target,
        passed=result.passed,
        score=result.score,
        checks_passed=result.checks_passed,
        checks_failed=result.checks_failed,
        message=result.message,
        gradient_ratio=ratio,
        ranks_differing=result.ranks_differing,
    )
    threshold = thresholds.gradient_ratio_for(state.topology, blueprint)
    if result.gate is not GateLevel.G2 or ratio is None:
        return
    if thresholds.is_near(ratio, threshold):
        yield NearThreshold(state.slot_id, f"{state.seed_id}", blueprint, ratio, threshold)


def statistics_events(state: SeedState) -> Iterator[Event]:
    """Yield what the learned gate did in the last forward, if there is one."""
    statistics = state.metrics.gate_statistics
    if statistics is not None:
        values = statistics.to_dict().values()
        yield GateStatisticsRecorded(state.slot_id, f"{state.seed_id}", *values)
