"""Options and starting values that a run depends on, each with a way to see it ignored."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.slots_in_stages import (
    LENIENT,
    features,
    give_evidence,
    lenient_rules,
    make_model,
    make_slot,
    walk_to,
)
from support.two_ranks import run_on_two_ranks
from torch import nn

from esper_ref import (
    AlphaController,
    AlphaCurve,
    AlphaMode,
    BlueprintRegistry,
    CNNHost,
    GateLevel,
    GateResult,
    GateThresholds,
    GradientHealthMonitor,
    GradientRatioNormalization,
    QualityGates,
    SeedStage,
    SlotRules,
    Telemetry,
    TransformerHost,
    sync_gate_decision,
)
from esper_ref.evidence import is_finite
from esper_ref.telemetry import GradientRatioLog


@pytest.mark.parametrize("curve", AlphaCurve)
def test_the_ramp_follows_the_curve_that_was_asked_for(curve: AlphaCurve) -> None:
    model = make_model("cnn", rules=lenient_rules())
    model.germinate_seed("norm", slot="r0c0", blend_algorithm_id=curve.value, blend_epochs=5)
    slot = model.slot("r0c0")
    walk_to(slot, SeedStage.TRAINING)
    give_evidence(slot)
    slot.step_epoch()
    assert slot.state.stage is SeedStage.BLENDING
    shown = []
    for _ in range(4):
        slot.step_epoch()
        shown.append(slot.state.controller.alpha)
    assert shown == [curve.at(t / 5) for t in (1, 2, 3, 4)]


def test_the_curves_differ_so_that_the_test_above_sees_a_wrong_one() -> None:
    assert len({curve.at(0.2) for curve in AlphaCurve}) == 3


@pytest.mark.parametrize("curve", AlphaCurve)
def test_the_curve_and_its_steepness_outlive_set_alpha(curve: AlphaCurve) -> None:
    slot = make_slot("cnn")
    slot.germinate("norm", blend_algorithm_id=curve.value, blend_epochs=4)
    slot.state.controller = replace(slot.state.controller, alpha_steepness=3.0)
    walk_to_blending(slot)
    slot.set_alpha(0.25)
    controller = slot.state.controller
    assert (controller.alpha, controller.alpha_mode) == (0.25, AlphaMode.HOLD)
    assert (controller.alpha_steps_done, controller.alpha_steps_total) == (0, 0)
    slot.retarget_alpha(alpha_target=1.0, alpha_steps_total=4)
    slot.step_epoch()
    assert slot.state.controller.alpha == 0.25 + 0.75 * curve.at(0.25, 3.0)


def walk_to_blending(slot: Any) -> None:
    while slot.state.stage is not SeedStage.BLENDING:
        give_evidence(slot)
        slot.step_epoch()


@pytest.mark.parametrize(
    ("start", "target", "mode"), [(0.2, 0.7, AlphaMode.UP), (0.7, 0.2, AlphaMode.DOWN)]
)
def test_a_ramp_knows_its_direction_until_it_holds(
    start: float, target: float, mode: AlphaMode
) -> None:
    controller = AlphaController(start, start, start)
    controller.retarget(alpha_target=target, alpha_steps_total=3)
    modes = [controller.alpha_mode]
    for _ in range(3):
        controller.step()
        modes.append(controller.alpha_mode)
    assert modes == [mode, mode, mode, AlphaMode.HOLD]


@pytest.mark.parametrize("normalization", GradientRatioNormalization)
def test_every_seed_of_a_slot_is_measured_with_its_normalisation(
    normalization: GradientRatioNormalization,
) -> None:
    slot = make_slot("cnn", "norm", rules=SlotRules(normalization=normalization))
    for _ in range(3):
        assert slot.monitor.normalization is normalization
        slot.cull("for a test")
        assert slot.monitor.normalization is normalization
        assert not slot.monitor.has_observed
        while slot.state.stage is not SeedStage.DORMANT:
            slot.step_epoch()
        slot.germinate("norm")


def test_a_second_seed_reads_the_ratio_that_its_normalisation_gives() -> None:
    by_mean = SlotRules(normalization=GradientRatioNormalization.MEAN_ABS)
    slot = make_slot("cnn", "norm", rules=by_mean)
    slot.cull("for a test")
    while slot.state.stage is not SeedStage.DORMANT:
        slot.step_epoch()
    slot.germinate("conv_small")
    host = nn.Linear(3, 5)
    for module in (host, *slot.parts()):
        for parameter in module.parameters():
            parameter.grad = torch.zeros_like(parameter)
            parameter.grad.view(-1)[0] = 1.0  # L1 and L2 norms differ from one parameter on
    slot.record_gradients(host)
    expected = GradientHealthMonitor(GradientRatioNormalization.MEAN_ABS)
    expected.observe(host, *slot.parts())
    other = GradientHealthMonitor(GradientRatioNormalization.SQRT_PARAMS)
    other.observe(host, *slot.parts())
    assert slot.monitor.ratio() == expected.ratio() != other.ratio()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_buffer_that_is_not_finite_makes_a_seed_unhealthy(value: float) -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))
    assert is_finite(module)
    module.get_buffer("1.running_mean")[0] = value
    assert all(bool(torch.isfinite(parameter).all()) for parameter in module.parameters())
    assert not is_finite(module)


def at_another_gate(rank: int) -> GateResult:
    gate = (GateLevel.G5, GateLevel.G2)[rank]
    return sync_gate_decision(GateResult(gate, True, 1.0, (), (), "for a test"))


def test_a_rank_behind_rank_0_is_noticed_on_both() -> None:
    for answer in run_on_two_ranks(at_another_gate):
        assert answer.startswith("DistributedError: ranks [1] are at another gate than rank 0")
        assert "G5" in answer


def test_the_ratio_log_keeps_each_ratio_once_however_many_gates_a_seed_meets() -> None:
    log = GradientRatioLog()
    slot = make_slot("cnn", "norm", telemetry=Telemetry(log))
    walk_to(slot, SeedStage.FOSSILIZED)
    assert log.ratios == {"norm": [1.0]}


@pytest.mark.parametrize(("ratio", "passes"), [(0.05, True), (0.05 - 1e-9, False)])
def test_a_ratio_at_the_threshold_passes_g2(ratio: float, passes: bool) -> None:
    rules = SlotRules(gates=QualityGates(replace(LENIENT, gradient_ratio=0.05)))
    slot = make_slot("cnn", "norm", rules=rules)
    walk_to(slot, SeedStage.TRAINING)
    for _ in range(2):
        slot.state.metrics.record_accuracy(50.0)
    slot.state.epochs_in_stage = 1
    slot.state.metrics.seed_gradient_norm_ratio = ratio
    assert slot.advance_stage().passed is passes
    assert GateThresholds().gradient_ratio == 0.05


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_the_monitor_averages_with_its_beta(beta: float) -> None:
    monitor = GradientHealthMonitor(beta=beta)
    host, seed = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    for size in (1.0, 3.0):
        host.weight.grad = torch.ones(2, 2)
        seed.weight.grad = torch.full((2, 2), size)
        monitor.observe(host, seed)
    average = (beta * 1.0 + 3.0) / (beta + 1.0)  # the corrected average of 1, then 3
    assert monitor.ratio() == pytest.approx(average, rel=1e-6)  # norms are float32
    if beta == 0.9:
        by_default = GradientHealthMonitor()
        assert by_default.beta == beta


DROPOUTS = [
    ("attention", {"dropout": 0.5, "n_head": 2}),
    ("mlp", {"dropout": 0.5}),
    ("flex_attention", {"dropout": 0.5, "n_head": 2}),
]


@pytest.mark.parametrize(("blueprint", "options"), DROPOUTS)
def test_dropout_of_a_seed_drops_in_training_and_only_there(
    blueprint: str, options: dict[str, Any]
) -> None:
    seed = BlueprintRegistry.create("transformer", blueprint, 8, **options)
    with torch.no_grad():
        for parameter in seed.parameters():
            parameter.normal_(std=0.5)
    x = features("transformer")
    assert not torch.equal(seed.train()(x), seed.train()(x))
    assert torch.equal(seed.eval()(x), seed.eval()(x))
    silent = BlueprintRegistry.create("transformer", blueprint, 8, **{**options, "dropout": 0.0})
    silent.load_state_dict(seed.state_dict())
    assert torch.equal(silent.train()(x), silent.train()(x))


@pytest.mark.parametrize("part", ["embedding", "attention", "residual"])
def test_each_dropout_of_the_transformer_host_drops_in_training(part: str) -> None:
    host = TransformerHost(11, n_embd=16, n_head=2, n_layer=2, block_size=16, dropout=0.5)
    for module in host.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for layer in host.layers:
        layer.attention.dropout = 0.0
    tokens = torch.randint(0, 11, (2, 9))
    assert torch.equal(host(tokens), host(tokens))
    if part == "embedding":
        host.dropout.p = 0.5
    elif part == "attention":
        host.layers[0].attention.dropout = 0.5
    else:
        host.layers[0].dropout.p = 0.5
    assert not torch.equal(host(tokens), host(tokens))
    assert torch.equal(host.eval()(tokens), host(tokens))


def test_the_transformer_host_gives_its_dropout_to_each_of_its_parts() -> None:
    host = TransformerHost(11, dropout=0.25)
    rates = {module.p for module in host.modules() if isinstance(module, nn.Dropout)}
    rates |= {layer.attention.dropout for layer in host.layers}
    assert rates == {0.25}


@pytest.mark.parametrize("training", [True, False])
def test_a_seed_takes_the_mode_of_the_model_it_germinates_in(training: bool) -> None:
    model = make_model("cnn").train(training)
    model.germinate_seed("conv_light", slot="r0c0", alpha_algorithm="gate")  # type: ignore[arg-type]  # an AlphaAlgorithm's value
    parts = model.slot("r0c0").parts()
    assert len(parts) == 2
    assert {m.training for part in parts for m in part.modules()} == {training}


@pytest.mark.parametrize(("pooled", "sizes"), [(0, [16, 16, 16]), (1, [8, 8, 8]), (3, [8, 4, 2])])
def test_only_the_first_blocks_are_pooled(pooled: int, sizes: list[int]) -> None:
    host = CNNHost(5, 3, 4, pooled_blocks=pooled)
    x = torch.randn(2, 3, 16, 16)
    found = [host.forward_to_segment(s.slot_id, x).shape[-1] for s in host.injection_specs()]
    assert found == sizes


def test_the_last_weights_of_each_branch_are_scaled_by_the_depth() -> None:
    n_layer = 8
    host = TransformerHost(11, n_embd=64, n_head=4, n_layer=n_layer, num_segments=2)
    scaled = 0.02 / math.sqrt(2 * n_layer)
    for name, parameter in host.named_parameters():
        if name.endswith(("attention.proj.weight", "mlp.2.weight")):
            assert parameter.std().item() == pytest.approx(scaled, rel=0.06)  # of 4,096 samples
        elif name.endswith(("qkv.weight", "mlp.0.weight")):
            assert parameter.std().item() == pytest.approx(0.02, rel=0.06)
