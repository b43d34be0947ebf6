"""The promises of esper_ref's functions, averages and controllers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import nn

from esper_audit.subject import Average, Decision, Ratio, Schedule, Subject, promise
from esper_ref import (
    AlphaController,
    AlphaCurve,
    BiasCorrectedEMA,
    GateLevel,
    GateResult,
    GradientHealthMonitor,
    GradientRatioNormalization,
    gradient_ratio,
    sync_gate_decision,
)
from esper_ref.growth import ranks


def functions() -> Iterator[Subject]:
    for normalization in GradientRatioNormalization:
        yield Ratio(
            name=f"gradient-ratio/{normalization.value}",
            build=lambda: gradient_ratio,
            call=partial(_ratio, normalization),
            promises=[promise("gradient-ratio")],
        )
        yield Ratio(
            name=f"gradient-monitor/{normalization.value}",
            build=lambda normalization=normalization: partial(GradientHealthMonitor, normalization),
            call=_monitored,
            promises=[promise("gradient-ratio")],
        )
    yield Average(
        name="bias-corrected-ema",
        build=BiasCorrectedEMA,
        update=lambda average, sample: average.update(sample),
        value=lambda average: average.value,
        promises=[promise("ema-bias", heals=True)],
    )
    yield alpha_controller()
    yield Decision(
        name="sync-gate-decision",
        build=lambda: sync_gate_decision,
        decide=lambda sync, evidence: (
            sync(GateResult(GateLevel.G2, evidence, 1.0, (), (), "seen")).passed
        ),
        promises=[promise("ddp-decision")],
    )
    for what, shared in {"gradients": _averaged, "totals": _summed, "weights": _copied}.items():
        yield Decision(
            name=f"ranks-share-{what}",
            build=lambda shared=shared: shared,
            decide=lambda shared, evidence: shared(float(evidence)) > 0.0,
            promises=[promise("ddp-decision")],
        )


def _averaged(evidence: float) -> float:
    """Return the average over the ranks of this rank's gradient."""
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.full((2,), evidence)
    ranks.average_gradients([weight])
    return float(weight.grad[1])


def _summed(evidence: float) -> float:
    return float(ranks.total(torch.tensor(evidence)))


def _copied(evidence: float) -> float:
    layer = nn.Linear(1, 1)
    nn.init.constant_(layer.bias, evidence)
    ranks.broadcast_state(layer)
    return float(layer.bias)


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


def _ratio(
    normalization: GradientRatioNormalization,
    function: Callable[..., float | None],
    seed: float | None,
    host_norm: float | None,
    *counts: int,
) -> float | None:
    return function(seed, host_norm, *counts, normalization=normalization)


def _monitored(
    new_monitor: Callable[[], GradientHealthMonitor],
    seed_norm: float | None,
    host_norm: float | None,
    seed_params: int,
    host_params: int,
) -> float | None:
    """Return the ratio of a monitor after one backward with gradients of these norms."""
    monitor = new_monitor()
    monitor.observe(_with_gradient(host_params, host_norm), _with_gradient(seed_params, seed_norm))
    return monitor.ratio()


def _with_gradient(count: int, norm: float | None) -> nn.Module:
    """Return a module of `count` parameters whose gradient has this norm, in L1 and in L2."""
    if count == 0:
        return nn.Identity()
    weight = nn.Parameter(torch.zeros(count, dtype=torch.float64))
    if norm is not None:
        weight.grad = torch.zeros_like(weight)
        weight.grad[0] = norm
    return nn.ParameterList([weight])
