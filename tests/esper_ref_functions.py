"""What the functions, controllers and gates of esper_ref promise."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from esper_audit.kinds import Average, Decision, Gate, Ratio, Schedule
from esper_audit.subject import Subject, promise
from esper_ref import (
    AlphaController,
    AlphaCurve,
    BiasCorrectedEMA,
    GateLevel,
    GateResult,
    GradientRatioNormalization,
    QualityGates,
    SeedState,
    gradient_ratio,
    sync_gate_decision,
)
from esper_ref.lifecycle import ShapeProbe


def functions() -> Iterator[Subject]:
    for normalization in GradientRatioNormalization:
        yield Ratio(
            name=f"gradient-ratio/{normalization.value}",
            build=lambda: gradient_ratio,
            call=partial(_ratio, normalization),
            promises=[promise("gradient-ratio")],
        )
    yield Average(
        name="bias-corrected-ema",
        build=BiasCorrectedEMA,
        update=lambda average, sample: average.update(sample),
        value=lambda average: average.value,
        promises=[promise("ema-bias")],
    )
    yield alpha_controller()
    yield quality_gates()
    yield Decision(
        name="sync-gate-decision",
        build=lambda: sync_gate_decision,
        decide=lambda sync, seen: sync(GateResult(GateLevel.G2, seen, 1.0, (), (), "seen")).passed,
        promises=[promise("ddp-decision")],
    )


def alpha_controller() -> Schedule:
    return Schedule(
        name="alpha-controller",
        build=AlphaController,
        retarget=lambda controller, target, steps, curve: controller.retarget(
            alpha_target=target, alpha_steps_total=steps, alpha_curve=curve
        ),
        step=lambda controller: controller.step(),
        value=lambda controller: controller.alpha,
        curves={curve.value: curve for curve in AlphaCurve},
        save=lambda controller: controller.to_dict(),
        load=AlphaController.from_dict,
        promises=[promise("alpha-schedule")],
    )


def quality_gates() -> Gate:
    return Gate(
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


def _ratio(
    normalization: GradientRatioNormalization,
    function: Callable[..., float | None],
    seed: float | None,
    host_norm: float | None,
    *counts: int,
) -> float | None:
    return function(seed, host_norm, *counts, normalization=normalization)


def _complete(_level: GateLevel) -> SeedState:
    """Return a state that every gate passes."""
    state = SeedState("r0c0", "cnn", seed_id="seed", blueprint_id="conv_light", epochs_in_stage=9)
    state.shape_probe = ShapeProbe((2, 8, 9, 7), None)
    state.controller = AlphaController(1.0, 1.0, 1.0)
    for accuracy in (10.0, 20.0):
        state.metrics.record_accuracy(accuracy)
    for _ in range(3):
        state.metrics.record_counterfactual(5.0)
    state.metrics.seed_gradient_norm_ratio, state.metrics.seed_is_healthy = 1.0, True
    return state


# What each gate reads, and what it is before anybody measured it.
UNMEASURED: dict[GateLevel, dict[str, object]] = {
    GateLevel.G0: {"seed_id": None, "blueprint_id": None},
    GateLevel.G1: {"shape_probe": None},
    GateLevel.G2: {
        "epochs_in_stage": 0,
        "metrics.best_accuracy_in_stage": None,
        "metrics.seed_gradient_norm_ratio": None,
    },
    GateLevel.G3: {"controller": AlphaController()},
    GateLevel.G4: {"metrics.contributions_in_stage": []},
    GateLevel.G5: {"metrics.contributions_in_stage": [], "metrics.seed_is_healthy": None},
}


def _lacking(level: GateLevel) -> Mapping[str, SeedState]:
    lacking = {}
    for path, nothing in UNMEASURED[level].items():
        state = copy.deepcopy(_complete(level))
        holder, _, name = path.rpartition(".")
        setattr(state.metrics if holder else state, name, nothing)
        lacking[path] = state
    return lacking
