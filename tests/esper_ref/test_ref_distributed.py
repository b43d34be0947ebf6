"""Two ranks take one decision at every gate, whatever each of them has seen."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import pytest
from support.slots_in_stages import LENIENT, give_evidence, make_slot, walk_to
from support.two_ranks import run_on_two_ranks

from esper_ref import (
    GateLevel,
    GateResult,
    GateThresholds,
    QualityGates,
    SeedSlot,
    SeedStage,
    SeedState,
    SlotRules,
    sync_gate_decision,
)
from esper_ref.gates import GATE_OF_STAGE

VIEWS = ((True, True), (True, False), (False, True), (False, False))
TARGETS = tuple(GATE_OF_STAGE)


def result(passed: bool, gate: GateLevel = GateLevel.G2) -> GateResult:
    return GateResult(gate, passed, float(passed), (), (), "for a test")


@dataclass(frozen=True)
class Opinion(QualityGates):
    """Gates of a rank that has made up its mind about one of them."""

    target: SeedStage = SeedStage.GERMINATED
    says: bool = True

    def check_gate(self, state: SeedState, target_stage: SeedStage) -> GateResult:
        if target_stage is not self.target:
            return QualityGates(LENIENT).check_gate(state, target_stage)
        return result(self.says, GATE_OF_STAGE[target_stage])


def stage_before(target: SeedStage) -> SeedStage:
    return SeedStage(target - 1)


def ask(rank: int, target: SeedStage, views: tuple[bool, bool]) -> tuple[bool, str, Any]:
    """Lead a slot to the gate of `target` and ask it; what was said, where the slot is then."""
    rules = SlotRules(gates=Opinion(LENIENT, target, views[rank]))
    slot = make_slot("cnn", rules=rules)
    if target is SeedStage.GERMINATED:
        said = slot.germinate("norm")
        return said.passed, slot.state.stage.name, said.ranks_differing
    slot.germinate("norm", blend_epochs=1)
    walk_up_to(slot, stage_before(target))
    said = slot.advance_stage(target)
    return said.passed, slot.state.stage.name, said.ranks_differing


def walk_up_to(slot: SeedSlot, stage: SeedStage) -> None:
    while slot.state.stage is not stage:
        give_evidence(slot)
        slot.step_epoch()


def ask_every_gate(rank: int) -> dict[tuple[str, tuple[bool, bool]], Any]:
    return {(t.name, views): ask(rank, t, views) for t in TARGETS for views in VIEWS}


def test_two_ranks_take_rank_0s_decision_at_every_gate_and_record_who_differed() -> None:
    answers, others = run_on_two_ranks(ask_every_gate)
    assert answers == others
    for target in TARGETS:
        before = "DORMANT" if target is SeedStage.GERMINATED else stage_before(target).name
        for views in VIEWS:
            passed, stage, differing = answers[target.name, views]
            assert passed is views[0]
            assert stage == (target.name if views[0] else before)
            assert differing == ((1,) if views[0] != views[1] else ())


RATIOS = (0.5, 0.01)


def judge_alone_and_together(rank: int) -> tuple[bool, bool]:
    """G2 on real evidence: this rank's gradients were strong or weak."""
    rules = SlotRules(gates=QualityGates(GateThresholds(min_training_epochs=0)))
    slot = make_slot("cnn", "norm", rules=rules)
    slot.advance_stage()
    slot.state.metrics.record_accuracy(50.0)
    slot.state.metrics.record_accuracy(51.0)
    slot.state.metrics.seed_gradient_norm_ratio = RATIOS[rank]
    alone = rules.gates.check_gate(slot.state, SeedStage.BLENDING).passed
    return alone, slot.advance_stage().passed


def test_without_agreement_the_same_ranks_would_have_parted() -> None:
    (alone_0, together_0), (alone_1, together_1) = run_on_two_ranks(judge_alone_and_together)
    assert alone_0 != alone_1
    assert together_0 == together_1 == alone_0


def live(rank: int) -> list[str]:
    """A whole life with evidence that differs by rank in every epoch."""
    rules = SlotRules(gates=QualityGates(GateThresholds(min_training_epochs=2)))
    slot, stages = make_slot("cnn", "norm", rules=rules), []
    for epoch in range(30):
        metrics = slot.state.metrics
        metrics.seed_gradient_norm_ratio = RATIOS[(rank + epoch) % 2]
        metrics.record_accuracy(50.0 + (rank + epoch) % 3)
        metrics.record_counterfactual(3.0 + 7.0 * ((rank + epoch // 3) % 2))
        slot.step_epoch()
        stages.append(slot.state.stage.name)
    return stages


def test_two_ranks_live_one_life_on_different_evidence() -> None:
    stages, others = run_on_two_ranks(live)
    assert stages == others
    assert "FOSSILIZED" in stages


def die_or_ask(rank: int) -> Any:
    if rank == 1:
        os._exit(1)
    before = time.monotonic()
    try:
        return sync_gate_decision(result(passed=True))
    finally:
        assert time.monotonic() - before < 10.0


def test_a_rank_that_dies_fails_the_other_within_seconds() -> None:
    before = time.monotonic()
    alive, dead = run_on_two_ranks(die_or_ask)
    assert dead is None
    assert alive.startswith("DistributedError: rank 0 at G2: lost the other ranks")
    assert time.monotonic() - before < 15.0  # of a timeout of 20


def ask_at_another_gate(rank: int) -> GateResult:
    return sync_gate_decision(result(True, (GateLevel.G2, GateLevel.G5)[rank]))


def test_ranks_at_different_gates_are_an_error_on_both() -> None:
    for answer in run_on_two_ranks(ask_at_another_gate):
        assert answer.startswith("DistributedError: ranks [1] are at another gate than rank 0")


@pytest.mark.parametrize("passed", [True, False])
def test_alone_the_decision_is_the_very_same_object(passed: bool) -> None:
    decision = result(passed)
    assert sync_gate_decision(decision) is decision


def test_a_walk_without_ranks_is_a_walk() -> None:
    slot = make_slot("cnn", "norm")
    walk_to(slot, SeedStage.FOSSILIZED)
    assert slot.state.stage is SeedStage.FOSSILIZED
