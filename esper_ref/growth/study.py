"""A study: every arm over several random seeds, each life in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from esper_ref.growth import ranks
from esper_ref.growth.comparison import Comparison
from esper_ref.growth.data import load_data
from esper_ref.growth.life import Arm, Life, build_model
from esper_ref.growth.plan import GrowthPlan, PlanError

if TYPE_CHECKING:
    from pathlib import Path

    from esper_ref.growth.journal import EpochMeasured, Journal

PLAN_FILE = "plan.json"

# Told after every epoch: which life, the epoch it is at, and what was measured.
Watcher = Callable[[str, int, "EpochMeasured"], None]


@dataclass(frozen=True)
class LifeResult:
    """What became of one life. `test_score` is in percent."""

    random_seed: int
    arm: Arm
    parameters: int
    test_score: float
    fossils: dict[str, str]
    journal: Journal


@dataclass(frozen=True)
class Study:
    """All lives of a plan, random seed by random seed, in the order of `Arm`."""

    plan: GrowthPlan
    data_title: str
    lives: list[LifeResult]

    def of(self, arm: Arm) -> list[LifeResult]:
        """Return the lives of one arm, by random seed."""
        return [life for life in self.lives if life.arm is arm]

    def compare(self, arm: Arm, other: Arm) -> Comparison:
        """Compare two arms by their test scores."""
        ours, theirs = ([life.test_score for life in self.of(a)] for a in (arm, other))
        return Comparison(arm, other, tuple(ours), tuple(theirs))


def run_study(
    plan: GrowthPlan, out: Path, device: torch.device, watch: Watcher, *, resume: bool
) -> Study:
    """Run every life of the plan.

    With `resume`, go on where an interrupted run was.
    """
    data = load_data(plan.host).to(device)
    _settle_plan(plan, out, resume=resume)
    lives = []
    for random_seed in range(plan.random_seeds):
        fossils: dict[str, str] = {}
        for arm in (Arm.ALONE, Arm.GROWN, Arm.WHOLE):
            model = build_model(arm, plan, data, random_seed, fossils).to(device)
            folder = out / f"seed-{random_seed}" / arm
            life = Life(plan, data, model, random_seed, folder)
            result = _live(life, arm, random_seed, watch, resume=resume)
            fossils = result.fossils
            lives.append(result)
    return Study(plan, data.title, lives)


def _live(life: Life, arm: Arm, random_seed: int, watch: Watcher, *, resume: bool) -> LifeResult:
    if resume:
        life.resume()
    else:
        life.begin()
    for measured in life.epochs():
        watch(f"{arm}, random seed {random_seed}", life.epoch, measured)
    count = sum(parameter.numel() for parameter in life.model.parameters())
    return LifeResult(random_seed, arm, count, life.test_score, life.fossils(), life.journal)


def _settle_plan(plan: GrowthPlan, out: Path, *, resume: bool) -> None:
    """Write the plan beside what it leads to, or compare it with the one that is there."""
    file = out / PLAN_FILE
    if resume:
        if not file.exists():
            raise PlanError(f"{out} holds no run to resume. Start one without --resume.")
        plan.require_same(file.read_text(encoding="utf-8"), f"the run in {out}")
    elif ranks.rank() == 0:
        out.mkdir(parents=True, exist_ok=True)
        file.write_text(plan.to_json(), encoding="utf-8")
