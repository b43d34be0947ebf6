"""Thresholds and times: a rule that cannot decide is refused where it is written."""

from __future__ import annotations

import math

import pytest

from esper_ref import GateThresholds, LifecycleTiming, QualityGates, SlotRules
from esper_ref.errors import RulesError

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gradient_ratio", -0.1),
        ("gradient_ratio", NAN),
        ("gradient_ratio", "0.05"),
        ("gradient_ratios", {("cnn", "norm"): NAN}),
        ("gradient_ratios", {("cnn", "norm"): -1.0}),
        ("gradient_ratios", {("ring", "norm"): 0.1}),
        ("gradient_ratios", {"norm": 0.1}),
        ("near_fraction", -0.2),
        ("near_fraction", INF),
        ("min_training_epochs", -1),
        ("min_training_epochs", 2.5),
        ("min_training_epochs", True),
        ("min_improvement", NAN),
        ("shadow_epochs", -2),
        ("shadow_epochs", 0),
        ("max_contribution_spread", -1.0),
        ("max_contribution_spread", NAN),
        ("min_contribution", NAN),
        ("min_contribution", INF),
        ("contribution_epochs", 0),
        ("contribution_errors", -1.0),
        ("contribution_errors", NAN),
    ],
)
def test_a_threshold_that_cannot_decide_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(RulesError, match=f"GateThresholds: {name}.*got .*expected"):
        GateThresholds(**{name: value})  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("blend_epochs", -1),
        ("embargo_epochs", -5),
        ("reset_epochs", -1),
        ("reset_epochs", 0.5),
        ("min_probation_epochs", 0),
        ("probation_fraction", -0.1),
        ("probation_fraction", 1.5),
        ("probation_fraction", NAN),
        ("run_epochs", -1),
        ("training_patience", 0),
    ],
)
def test_a_time_that_cannot_pass_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(RulesError, match=f"LifecycleTiming: {name}.*got .*expected"):
        LifecycleTiming(**{name: value})  # type: ignore[arg-type]  # that is the point


def test_a_probation_too_short_for_its_window_is_refused() -> None:
    thresholds = GateThresholds(contribution_epochs=6)
    with pytest.raises(RulesError, match=r"6 contributions.*probation ends after 5 epochs"):
        SlotRules(gates=QualityGates(thresholds))
    timing = LifecycleTiming(run_epochs=60)
    assert SlotRules(gates=QualityGates(thresholds), timing=timing).timing is timing


def test_a_patience_shorter_than_the_least_training_is_refused() -> None:
    thresholds = GateThresholds(min_training_epochs=11)
    with pytest.raises(RulesError, match=r"training_patience = 10.*min_training_epochs = 11"):
        SlotRules(gates=QualityGates(thresholds))
