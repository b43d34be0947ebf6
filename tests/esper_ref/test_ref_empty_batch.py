"""An empty batch passes through a slot, and is no evidence."""

from __future__ import annotations

import pytest
import torch
from support.slots_in_stages import (
    ACTIVE,
    ALGORITHMS,
    LIVELY,
    TOPOLOGIES,
    features,
    make_slot,
    redraw,
    walk_to,
)
from torch import nn

from esper_ref import AlphaAlgorithm, SeedStage
from esper_ref.evidence import probe_shape_of


@pytest.mark.parametrize("stage", ACTIVE)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_an_empty_batch_comes_out_empty_in_every_stage(
    topology: str, algorithm: AlphaAlgorithm, stage: SeedStage
) -> None:
    slot = make_slot(topology, LIVELY[topology], algorithm=algorithm)
    redraw(slot.parameters())
    walk_to(slot, stage)
    empty = features(topology)[:0]
    assert slot(empty).shape == empty.shape


def test_the_statistics_of_the_gate_are_those_of_the_last_batch_that_was_not_empty() -> None:
    slot = make_slot("cnn", "norm", algorithm=AlphaAlgorithm.GATE)
    walk_to(slot, SeedStage.BLENDING)
    h = features("cnn")
    slot(h[:0])
    assert slot.state.metrics.gate_statistics is None
    slot(h)
    before = slot.state.metrics.gate_statistics
    slot(h[:0])
    assert slot.state.metrics.gate_statistics is before


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_g1_tries_the_seed_on_features_after_an_empty_batch_as_well(topology: str) -> None:
    slot = make_slot(topology, "norm")
    h = features(topology)
    slot(h)
    slot(h[:0])
    assert slot.feature_shape == tuple(h.shape)
    slot.seed = nn.Linear(3, 3)  # fits nothing
    result = slot.advance_stage()
    assert result.checks_failed == ("shape_kept",)


def test_an_empty_batch_before_any_other_leaves_the_shape_that_is_tried_without_features() -> None:
    slot = make_slot("cnn", "norm")
    slot(features("cnn")[:0])
    assert 0 not in slot.feature_shape
    assert slot.advance_stage().passed


def test_a_trial_on_nothing_fails() -> None:
    probe = probe_shape_of(nn.Identity(), torch.zeros(0, 8, 4, 4))
    assert probe.failure is not None
    assert "empty" in probe.failure
