"""The counterfactual, forced alpha, and the trial of a new seed."""

from __future__ import annotations

import math
import re

import pytest
import torch
from support.slots_in_stages import (
    BLENDED,
    TOPOLOGIES,
    inputs,
    make_model,
    make_slot,
    redraw,
    walk_to,
)
from torch import Tensor, nn

from esper_ref import (
    BlueprintRegistry,
    Counterfactual,
    MorphogeneticModel,
    SeedStage,
    counterfactual_contribution,
    force_alpha,
)
from esper_ref.errors import AlphaError
from esper_ref.evidence import evaluating, is_finite, probe_shape_of


def mean_of(model: nn.Module, batch: Tensor) -> float:
    return float(model(batch).mean())


def grown_model(topology: str, stage: SeedStage) -> MorphogeneticModel:
    model = make_model(topology)
    model.germinate_seed("norm", slot="r0c0", blend_algorithm_id="linear")
    redraw(model.get_seed_parameters())
    walk_to(model.slot("r0c0"), stage)
    return model


@pytest.mark.parametrize("stage", BLENDED)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_the_contribution_is_the_metric_now_less_that_of_the_host_alone(
    topology: str, stage: SeedStage
) -> None:
    model, batch = grown_model(topology, stage), inputs(topology)
    contribution = counterfactual_contribution(model, model.slot("r0c0"), batch, mean_of)
    with evaluating(model):
        wanted = mean_of(model, batch) - float(model.get_submodule("host")(batch).mean())
    assert contribution == wanted
    assert contribution != 0.0


@pytest.mark.parametrize("stage", [SeedStage.GERMINATED, SeedStage.TRAINING])
def test_a_seed_behind_the_host_contributes_exactly_nothing(stage: SeedStage) -> None:
    model, batch = grown_model("cnn", stage), inputs("cnn")
    assert counterfactual_contribution(model, model.slot("r0c0"), batch, mean_of) == 0.0


def test_both_measurements_see_the_same_batch_and_weights_in_eval_mode_without_gradients() -> None:
    model, batch = grown_model("cnn", SeedStage.SHADOWING), inputs("cnn")
    seen = []

    def watching(measured: nn.Module, given: Tensor) -> float:
        weights = torch.cat([p.flatten() for p in measured.parameters()])
        seen.append((id(given), weights, measured.training, torch.is_grad_enabled()))
        return mean_of(measured, given)

    model.train()
    model.get_submodule("host.blocks.1").eval()  # part of a model may be frozen like this
    modes = [m.training for m in model.modules()]
    state = {k: v.clone() for k, v in model.state_dict().items() if isinstance(v, Tensor)}
    Counterfactual.measure(model, model.slot("r0c0"), batch, watching)
    (batch_1, weights_1, *modes_1), (batch_2, weights_2, *modes_2) = seen
    assert batch_1 == batch_2
    assert torch.equal(weights_1, weights_2)
    assert modes_1 == modes_2 == [False, False]
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in state.items())


def test_the_baseline_of_a_seed_that_went_bad_is_still_the_hosts() -> None:
    model, batch = grown_model("cnn", SeedStage.SHADOWING), inputs("cnn")
    with torch.no_grad():
        next(model.get_seed_parameters()).fill_(math.nan)
    measured = Counterfactual.measure(model, model.slot("r0c0"), batch, mean_of)
    assert math.isnan(measured.actual)
    with evaluating(model):
        assert measured.baseline == float(model.get_submodule("host")(batch).mean())
    assert math.isnan(measured.contribution)
    assert not is_finite(model.slot("r0c0"))


def test_forced_alpha_is_undone_after_the_block_also_by_an_error_and_when_nested() -> None:
    model, batch = grown_model("cnn", SeedStage.BLENDING), inputs("cnn")
    slot = model.slot("r0c0")
    with evaluating(model):
        before = model(batch)
        with slot.force_alpha(1.0):
            full = model(batch)
            with force_alpha(slot, 0.0), pytest.raises(ZeroDivisionError):
                _ = 1 / 0
            with slot.force_alpha(0.0):
                bare = model(batch)
            assert torch.equal(model(batch), full)
        assert torch.equal(model(batch), before)
        assert torch.equal(bare, model.get_submodule("host")(batch))
    assert not torch.equal(full, before)
    assert slot.alpha.item() == 0.5


def test_forcing_alpha_does_not_touch_the_timeline() -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, SeedStage.BLENDING)
    with slot.force_alpha(1.0):
        assert slot.state.metrics.current_alpha == 0.5
        assert slot.state.controller.alpha == 0.5
        with pytest.raises(AlphaError):
            slot.override_alpha(math.nan)
        assert slot.forced_alpha == 1.0


class Doubles(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x, x))


class Widens(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.double()


class Pairs(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        (Doubles(), r"got \(4, 8, 6, 5\)"),
        (Widens(), "torch.float64"),
        (Pairs(), "returned tuple"),
        (nn.Linear(4, 4), "RuntimeError"),
        (nn.Conv2d(8, 8, 3, stride=2), r"got \(2, 8, 2, 2\)"),
    ],
)
def test_a_seed_that_does_not_keep_its_features_is_told_why(seed: nn.Module, reason: str) -> None:
    probe = probe_shape_of(seed, torch.randn(2, 8, 6, 5))
    assert probe.failure is not None
    assert re.search(reason, probe.failure)


def test_a_trial_leaves_running_statistics_modes_and_the_random_stream_alone() -> None:
    seed = nn.Sequential(nn.BatchNorm2d(8), nn.Dropout(0.5))
    state, random_state = (
        {k: v.clone() for k, v in seed.state_dict().items()},
        torch.get_rng_state(),
    )
    assert probe_shape_of(seed, torch.randn(2, 8, 3, 3) * 0).failure is None
    assert all(torch.equal(v, seed.state_dict()[k]) for k, v in state.items())
    assert all(module.training for module in seed.modules())
    assert not torch.equal(torch.get_rng_state(), random_state)  # drawn by the line above alone
    torch.set_rng_state(random_state)
    torch.randn(2, 8, 3, 3)
    after = torch.get_rng_state()
    probe_shape_of(seed, torch.zeros(2, 8, 3, 3))
    assert torch.equal(torch.get_rng_state(), after)


@pytest.fixture
def misfit() -> object:
    BlueprintRegistry.register("misfit", topology="cnn", param_count=lambda _dim: 0)(
        lambda _dim: nn.Conv2d(3, 3, 3)
    )
    yield
    BlueprintRegistry.unregister("cnn", "misfit")


@pytest.mark.usefixtures("misfit")
def test_a_failed_trial_leaves_the_slot_usable() -> None:
    slot = make_slot("cnn", "misfit")
    result = slot.advance_stage()
    assert result.checks_failed == ("shape_kept",)
    assert slot.state.stage is SeedStage.GERMINATED
    h = torch.randn(2, 8, 4, 4)
    assert slot(h) is h
    slot.cull("does not fit")
    for _ in range(6):
        slot.step_epoch()
    assert slot.germinate("norm").passed
    walk_to(slot, SeedStage.FOSSILIZED)


def test_a_seed_is_tried_on_the_features_that_really_come() -> None:
    slot = make_slot("cnn", "norm")
    slot(torch.randn(5, 8, 1, 3))
    slot.advance_stage()
    assert slot.state.shape_probe is not None
    assert slot.state.shape_probe.shape == (2, 8, 1, 3)
