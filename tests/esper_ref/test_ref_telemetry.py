"""What a slot tells the outside, and what happens if nobody listens well."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import torch
from support.slots_in_stages import LENIENT, features, give_evidence, make_model, make_slot, walk_to

from esper_ref import (
    AlphaAlgorithm,
    GateThresholds,
    JsonLinesWriter,
    LifecycleTiming,
    QualityGates,
    SeedStage,
    SlotRules,
    Telemetry,
)
from esper_ref.telemetry import (
    Culled,
    Event,
    Fossilized,
    GateEvaluated,
    GateStatisticsRecorded,
    Germinated,
    GradientRatioLog,
    NearThreshold,
    StageChanged,
)

if TYPE_CHECKING:
    from pathlib import Path


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_a_life_is_told_in_order_from_germination_to_fossil() -> None:
    events: list[Event] = []
    slot = make_slot("cnn", "norm", telemetry=Telemetry(events.append))
    walk_to(slot, SeedStage.FOSSILIZED)
    assert kinds(events[:3]) == ["GateEvaluated", "Germinated", "StageChanged"]
    assert kinds(events[-2:]) == ["StageChanged", "Fossilized"]
    stages = [(e.before.name, e.after.name) for e in events if isinstance(e, StageChanged)]
    names = [stage.name for stage in SeedStage][:7]
    assert stages == list(pairwise(names))
    gates = [e.gate for e in events if isinstance(e, GateEvaluated) and e.passed]
    assert gates == ["G0", "G1", "G2", "G3", "G4", "G5"]
    assert {(e.slot_id, e.seed_id) for e in events} == {("r0c0", "r0c0-norm-0")}
    assert events[1] == Germinated("r0c0", "r0c0-norm-0", "norm", "cnn", 17)
    assert events[-1] == Fossilized("r0c0", "r0c0-norm-0", "norm", 1.0)


def test_a_cull_tells_its_reason_and_the_way_to_dormancy() -> None:
    events: list[Event] = []
    slot = make_slot("cnn", "norm", telemetry=Telemetry(events.append))
    walk_to(slot, SeedStage.TRAINING)
    events.clear()
    slot.cull("no use")
    for _ in range(6):
        slot.step_epoch()
    assert events[1] == Culled("r0c0", "r0c0-norm-0", "norm", "no use")
    after = [e.after.name for e in events if isinstance(e, StageChanged)]
    assert after == ["CULLED", "EMBARGOED", "RESETTING", "DORMANT"]


def test_a_gate_that_fails_tells_which_checks_did() -> None:
    events: list[Event] = []
    slot = make_slot("cnn", "norm", telemetry=Telemetry(events.append))
    walk_to(slot, SeedStage.TRAINING)
    slot.advance_stage()
    told = events[-1]
    assert isinstance(told, GateEvaluated)
    assert not told.passed
    assert told.target is SeedStage.BLENDING
    assert "gradient_ratio_unmeasured" not in told.checks_passed
    assert "improvement_unmeasured" in told.checks_failed
    assert told.message.startswith("G2 failed")


@pytest.mark.parametrize(("ratio", "told"), [(0.041, 1), (0.055, 1), (0.5, 0), (0.01, 0)])
def test_a_ratio_near_its_threshold_is_told_whichever_way_the_gate_went(
    ratio: float, told: int
) -> None:
    events: list[Event] = []
    rules = SlotRules(gates=QualityGates(GateThresholds()), timing=LifecycleTiming())
    slot = make_slot("cnn", "norm", rules=rules, telemetry=Telemetry(events.append))
    slot.advance_stage()
    slot.state.metrics.seed_gradient_norm_ratio = ratio
    slot.advance_stage()
    near = [e for e in events if isinstance(e, NearThreshold)]
    assert len(near) == told
    assert all((e.ratio, e.threshold) == (ratio, 0.05) for e in near)


def test_gate_statistics_are_told_once_an_epoch() -> None:
    events: list[Event] = []
    slot = make_slot(
        "cnn", "norm", algorithm=AlphaAlgorithm.GATE, telemetry=Telemetry(events.append)
    )
    walk_to(slot, SeedStage.BLENDING)
    assert "GateStatisticsRecorded" not in kinds(events)
    slot(features("cnn"))
    assert slot.state.metrics.gate_statistics is not None
    wanted = slot.state.metrics.gate_statistics.to_dict()
    slot.step_epoch()
    told = [e for e in events if isinstance(e, GateStatisticsRecorded)]
    assert [dataclasses.asdict(e) for e in told] == [
        {"slot_id": "r0c0", "seed_id": "r0c0-norm-0", **wanted}
    ]


def test_events_cannot_be_changed_by_a_listener() -> None:
    event = Culled("r0c0", "s", "norm", "no use")
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.reason = "another"  # type: ignore[misc]


def test_a_listener_that_raises_is_reported_and_neither_stops_training_nor_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise LookupError(f"no dashboard for {event.slot_id}")

    telemetry = Telemetry(broken, heard.append)
    with caplog.at_level(logging.ERROR, logger="esper_ref.telemetry"):
        slot = make_slot("cnn", "norm", telemetry=telemetry)
    walk_to(slot, SeedStage.FOSSILIZED)
    assert kinds(heard) == kinds([event for event, _ in telemetry.failures])
    assert "no dashboard for r0c0" in caplog.text
    assert all(isinstance(error, LookupError) for _, error in telemetry.failures)


def test_an_interrupt_is_no_failure_of_a_listener() -> None:
    def interrupted(_event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Telemetry(interrupted).emit(Culled("r0c0", "s", "norm", "no use"))


def test_events_are_written_as_lines_of_json(tmp_path: Path) -> None:
    path, events = tmp_path / "events.jsonl", []
    slot = make_slot("cnn", "norm", telemetry=Telemetry(JsonLinesWriter(path), events.append))
    walk_to(slot, SeedStage.FOSSILIZED)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == kinds(events)
    assert lines[2]["before"] == "DORMANT"
    assert lines[2]["after"] == "GERMINATED"
    assert lines[0]["checks_passed"] == ["blueprint_exists", "seed_exists"]


def test_the_slots_of_a_model_and_of_its_copy_report_to_the_same_listeners() -> None:
    events: list[Event] = []
    model = make_model("cnn", telemetry=Telemetry(events.append))
    copy.deepcopy(model).germinate_seed("norm", slot="r0c1")
    model.germinate_seed("norm", slot="r0c0")
    assert {event.slot_id for event in events} == {"r0c0", "r0c1"}


def test_the_ratios_that_g2_saw_are_kept_by_blueprint() -> None:
    log = GradientRatioLog()
    rules = SlotRules(gates=QualityGates(LENIENT))
    for blueprint, ratios in (("norm", (0.1, 0.2)), ("conv_light", (0.3,))):
        slot = make_slot("cnn", blueprint, rules=rules, telemetry=Telemetry(log))
        slot.advance_stage()
        slot.advance_stage()  # not yet measured: nothing to keep
        for ratio in ratios:
            slot.state.metrics.seed_gradient_norm_ratio = ratio
            slot.advance_stage()
    assert log.ratios == {"norm": [0.1, 0.2], "conv_light": [0.3]}


def test_telling_does_not_touch_what_is_told_about() -> None:
    quiet, told = (make_slot("cnn", "norm", telemetry=t) for t in (None, Telemetry(lambda _: None)))
    told.load_state_dict(quiet.state_dict())
    h = features("cnn")
    for slot in (quiet, told):
        walk_to(slot, SeedStage.BLENDING)
        give_evidence(slot)
    assert torch.equal(quiet(h), told(h))
