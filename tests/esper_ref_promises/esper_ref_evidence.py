"""The promises of esper_ref's gates: the quality gates alone, and a slot that applies them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from esper_ref_lives import CHANNELS, LIVELY, HostAndSlot
from torch import nn

from esper_audit.subject import Gate, promise
from esper_ref import (
    AlphaAlgorithm,
    AlphaController,
    GateLevel,
    GateResult,
    QualityGates,
    SeedSlot,
    SeedStage,
    SeedState,
)
from esper_ref.gates import GATE_OF_STAGE
from esper_ref.lifecycle import NEXT_STAGE, ShapeProbe

STAGE_OF_GATE = {gate: stage for stage, gate in GATE_OF_STAGE.items()}
STAGE_BEFORE = {after: before for before, after in NEXT_STAGE.items()}


def gates() -> Iterator[Gate]:
    yield Gate(
        name="quality-gates",
        build=QualityGates,
        levels=tuple(GateLevel),
        unknown=(17, None),
        complete=_complete,
        lacking=_lacking,
        judge=lambda gates, level, state: gates.judge(state, level),
        passed=lambda result: result.passed,
        reasons=lambda result: result.checks_failed,
        promises=[promise("gate-evidence")],
    )
    for topology in LIVELY:
        yield Gate(
            name=f"{topology}/slot-gates",
            build=lambda: SeedSlot.advance_stage,
            levels=tuple(NEXT_STAGE.values()),
            unknown=(17, SeedStage.DORMANT, SeedStage.CULLED),
            complete=partial(_ready, topology),
            lacking=partial(_unready, topology),
            judge=_advanced,
            passed=lambda answer: answer[1],
            reasons=lambda answer: answer[0].checks_failed,
            promises=[promise("gate-evidence")],
        )


def _complete(_level: GateLevel) -> SeedState:
    """Return a state that every gate passes."""
    state = SeedState("r0c0", "cnn", seed_id="seed", blueprint_id="conv_light", epochs_in_stage=9)
    state.shape_probe = ShapeProbe((2, 8, 9, 7), None)
    state.controller = AlphaController(1.0, 1.0, 1.0)
    for accuracy in (10.0, 20.0, 15.0):
        state.metrics.record_accuracy(accuracy)
    for _ in range(5):
        state.metrics.record_counterfactual(5.0)
    state.metrics.seed_gradient_norm_ratio, state.metrics.seed_is_healthy = 1.0, True
    return state


# The fields that each gate reads, with the value before any measurement and an invalid value.
WITHOUT: dict[GateLevel, dict[str, object]] = {
    GateLevel.G0: {"seed_id": None, "blueprint_id": None},
    GateLevel.G1: {"shape_probe": None},
    GateLevel.G2: {
        "epochs_in_stage": 0,
        "metrics.best_accuracy_in_stage": None,
        "metrics.accuracy_at_stage_start": None,
        "metrics.seed_gradient_norm_ratio": None,
        "metrics.seed_gradient_norm_ratio, finite": math.inf,
    },
    GateLevel.G3: {
        "controller": AlphaController(),
        "controller, up to 1": AlphaController(0.5, 0.5, 0.5),
    },
    GateLevel.G4: {
        "metrics.contributions_in_stage": [],
        "metrics.contributions_in_stage, three": [5.0, 5.0],
        "metrics.contributions_in_stage, finite": [5.0, math.nan, 5.0],
    },
    GateLevel.G5: {
        "metrics.contributions_in_stage": [],
        "metrics.contributions_in_stage, five": [5.0, 5.0, 5.0, 5.0],
        "metrics.contributions_in_stage, finite": [5.0, 5.0, math.inf, 5.0, 5.0],
        "metrics.contributions_in_stage, alike": [0.0, 0.0, 0.0, 0.0, 25.0],
        "metrics.seed_is_healthy": None,
    },
}


def _lacking(level: GateLevel) -> Mapping[str, SeedState]:
    lacking = {}
    for path, nothing in WITHOUT[level].items():
        state = copy.deepcopy(_complete(level))
        holder, _, name = path.partition(",")[0].rpartition(".")
        setattr(state.metrics if holder else state, name, nothing)
        lacking[path] = state
    if level in (GateLevel.G2, GateLevel.G4, GateLevel.G5):
        lacking["measured in this stage"] = measured_before = _complete(level)
        _enter_again(measured_before, level)
    if level is GateLevel.G2:
        lacking["epochs in this stage"] = too_early = _complete(level)
        _enter_again(too_early, level)
        for accuracy in (10.0, 20.0):
            too_early.metrics.record_accuracy(accuracy)
        lacking["accuracies in this stage"] = unmeasured = _complete(level)
        _enter_again(unmeasured, level)
        unmeasured.epochs_in_stage = 9
    return lacking


def _enter_again(state: SeedState, level: GateLevel) -> None:
    """Return a state in the stage in which a gate is applied, with all earlier measurements."""
    asked_in = STAGE_BEFORE[STAGE_OF_GATE[level]]
    state.stage = STAGE_BEFORE[asked_in]
    state.transition(asked_in)


def _advanced(
    advance: Callable[[SeedSlot, SeedStage], GateResult], target: SeedStage, slot: SeedSlot
) -> tuple[GateResult, bool]:
    """Return the result of the gate, and whether the seed advanced."""
    result = advance(slot, target)
    return result, slot.state.stage is target


def _ready(topology: str, target: SeedStage) -> SeedSlot:
    """Return a slot before a stage, with all evidence that the gate needs."""
    slot = _before(topology, target)
    if target is SeedStage.SHADOWING:
        slot.set_alpha(1.0)
    if target is SeedStage.BLENDING:
        _train(slot)
    for _ in range(2):
        slot.state.metrics.record_accuracy(50.0)
    slot.state.metrics.record_counterfactual(1.0)
    return slot


def _before(topology: str, target: SeedStage) -> SeedSlot:
    """Return a slot before a stage, without measurements in its current stage."""
    stage = STAGE_BEFORE[target]
    if stage is SeedStage.GERMINATED:
        return HostAndSlot(CHANNELS, topology, AlphaAlgorithm.ADD).slot
    slot = _ready(topology, stage)
    slot.advance_stage()
    if stage is SeedStage.TRAINING:
        slot.step_epoch()
    if stage is SeedStage.BLENDING:
        slot.set_alpha(0.5)
    return slot


def _train(slot: SeedSlot, gradient: float = 1.0) -> None:
    """Record gradients of the host and of the seed in the monitor."""
    host = nn.Linear(2, 2)
    for part in (host, *slot.parts()):
        for parameter in part.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
    slot.record_gradients(host)


def _unready(topology: str, target: SeedStage) -> Mapping[str, SeedSlot]:
    """Return slots by the one piece of evidence that each lacks."""
    bare, ready = partial(_before, topology, target), partial(_ready, topology, target)
    if target is SeedStage.TRAINING:
        return {
            "a seed that keeps the shape": _with_seed(ready(), nn.AvgPool1d(2)),
            "a seed that runs": _with_seed(ready(), nn.Linear(CHANNELS + 1, 1)),
            "a seed that keeps the dtype": _with_seed(ready(), _Doubles()),
        }
    if target is SeedStage.BLENDING:
        unseen, unmeasured, diverged = bare(), bare(), bare()
        for slot in (unseen, diverged):
            for _ in range(2):
                slot.state.metrics.record_accuracy(50.0)
        _train(unmeasured)
        _train(diverged, math.nan)
        return {"gradients": unseen, "accuracies": unmeasured, "finite gradients": diverged}
    if target is SeedStage.SHADOWING:
        return {"all of alpha": bare()}
    if target is SeedStage.PROBATIONARY:
        return {"contributions": bare()}
    broken, diverged = ready(), ready()
    with torch.no_grad():
        next(broken.parameters()).fill_(math.nan)
    _train(diverged, math.nan)
    return {"contributions": bare(), "finite parameters": broken, "finite gradients": diverged}


def _with_seed(slot: SeedSlot, seed: nn.Module) -> SeedSlot:
    slot.seed = seed
    return slot


class _Doubles(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.double()
