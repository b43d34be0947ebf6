"""A measurement given as a tensor becomes a number, so that no event or checkpoint is lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.slots_in_stages import make_model, make_slot, walk_to

from esper_ref import (
    Counterfactual,
    JsonLinesWriter,
    SeedMetrics,
    SeedStage,
    Telemetry,
    counterfactual_contribution,
)
from esper_ref.errors import MetricError
from esper_ref.telemetry import Event, StageChanged

ONE = (1.5, 1, torch.tensor(1.5), torch.tensor([[1.5]]), np.float32(1.5), np.float64(1.5))


@pytest.mark.parametrize("value", ONE, ids=lambda v: f"{type(v).__name__}{np.shape(v)}")
def test_a_measurement_of_any_numeric_type_is_kept_as_a_float(value: float) -> None:
    metrics = SeedMetrics()
    metrics.record_accuracy(value)
    metrics.record_accuracy(value)
    metrics.record_counterfactual(value)
    kept = (
        metrics.current_accuracy,
        metrics.best_accuracy,
        metrics.accuracy_at_stage_start,
        metrics.best_accuracy_in_stage,
        metrics.counterfactual_contribution,
        *metrics.contributions_in_stage,
    )
    assert [type(number) for number in kept] == [float] * 6
    assert set(kept) == {float(value)}


@pytest.mark.parametrize("value", ["50", None, torch.tensor([1.0, 2.0]), [1.0], 1j])
def test_what_is_not_one_number_is_refused(value: object) -> None:
    metrics = SeedMetrics()
    with pytest.raises(MetricError, match=r"record_accuracy: got .* expected"):
        metrics.record_accuracy(value)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(MetricError, match=r"record_counterfactual: got .* expected"):
        metrics.record_counterfactual(value)  # type: ignore[arg-type]  # that is the point
    assert metrics == SeedMetrics()


def test_no_event_is_lost_to_a_metric_that_returns_a_tensor(tmp_path: Path) -> None:
    events: list[Event] = []
    telemetry = Telemetry(JsonLinesWriter(tmp_path / "events.jsonl"), events.append)
    slot = make_slot("cnn", "norm", telemetry=telemetry)
    walk_to(slot, SeedStage.PROBATIONARY)
    slot.state.metrics.record_accuracy(torch.tensor(51.0))
    slot.state.metrics.record_counterfactual(torch.tensor(2.0))
    slot.step_epoch()
    assert slot.state.stage is SeedStage.FOSSILIZED
    assert telemetry.failures == []
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert len(lines) == len(events)
    changed = [event for event in events if isinstance(event, StageChanged)][-1]
    assert changed.counterfactual_contribution == 2.0
    assert lines[-1]["counterfactual_contribution"] == 2.0


def test_a_counterfactual_of_tensors_is_one_of_numbers() -> None:
    model = make_model("cnn")
    model.germinate_seed("norm", slot="r0c0")
    values = iter([torch.tensor(3.0), torch.tensor(1.0)])
    found = Counterfactual.measure(model, model.slot("r0c0"), None, lambda _m, _b: next(values))  # type: ignore[arg-type, return-value]  # a tensor, as metrics return it
    assert found == Counterfactual(3.0, 1.0)
    assert type(found.contribution) is float
    with pytest.raises(MetricError, match="the metric: got"):
        counterfactual_contribution(model, model.slot("r0c0"), None, lambda _m, _b: torch.ones(2))  # type: ignore[arg-type, return-value]  # that is the point
