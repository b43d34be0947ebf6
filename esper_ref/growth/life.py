"""A life: one model from its first step to its last, resumable after every epoch."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import torch
from torch import nn

from esper_ref.baked import BakedModel, SeedRecipe
from esper_ref.checkpoint import load_checkpoint, save_checkpoint
from esper_ref.evidence import evaluating
from esper_ref.growth import ranks
from esper_ref.growth.garden import Garden
from esper_ref.growth.journal import EpochMeasured, Journal
from esper_ref.growth.plan import GrowthPlan, random_seed_of
from esper_ref.growth.training import Training, accuracy
from esper_ref.host import require_host
from esper_ref.lifecycle import PATH_OF_STAGE, ForwardPath, SeedStage
from esper_ref.model import MorphogeneticModel
from esper_ref.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from esper_ref.growth.data import RealData, Split

HOST = "host"


class Arm(StrEnum):
    """What is compared. All arms of a random seed begin with the same host and see the same data.

    ALONE is the host without seeds. GROWN grows seeds. WHOLE is the network that GROWN ended as,
    trained from the first step: what the same parameters would have done without the growing.
    """

    ALONE = "alone"
    GROWN = "grown"
    WHOLE = "whole"


class Life:
    """Trains one model, and lets seeds grow in it if it has slots."""

    def __init__(
        self, plan: GrowthPlan, data: RealData, model: nn.Module, random_seed: int, folder: Path
    ) -> None:
        self.plan, self.data, self.model = plan, data, model
        self.checkpoint = folder / "checkpoint.pt"
        self.journal = Journal(folder / "journal.jsonl", writes=ranks.rank() == 0)
        self.training = Training(plan, model, random_seed)
        self.garden = Garden(plan, model, self.training)
        self.epoch = 0
        self.score: float | None = None
        if isinstance(model, MorphogeneticModel):
            model.telemetry.callbacks = (self.journal,)

    def begin(self) -> None:
        """Begin with the first epoch, and forget an earlier life in the same folder."""
        if ranks.rank() == 0:
            self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            self.checkpoint.unlink(missing_ok=True)
        self.journal.begin_anew()
        self.training.take_up(HOST, self.garden.host_parameters())

    def resume(self) -> None:
        """Go on after the last epoch that was saved, as if nothing had happened."""
        if not self.checkpoint.exists():
            self.begin()
            return
        saved = load_checkpoint(self.checkpoint, self.model)
        self.training.take_up(HOST, self.garden.host_parameters())
        self.garden.take_up_seeds()
        for name, optimizer in self.training.optimizers.items():
            saved.restore_optimizer(name, optimizer)
        self.epoch = saved.epoch
        self.journal.go_back_to(saved.epoch)
        # Measured again, not read: the slots see features of the real shape, as before the cut.
        self.score = score_of(self.model, self.data.validation)

    def epochs(self) -> Iterator[EpochMeasured]:
        """Live on, an epoch at a time."""
        while self.epoch < self.plan.epochs:
            self.epoch += 1
            self.journal.epoch = self.epoch
            self.garden.act(self.epoch, self.score)
            ranks.broadcast_state(self.model)
            loss = self.training.epoch(self.epoch, self.data.training, self.garden.record_gradients)
            ranks.broadcast_state(self.model)  # each rank has running statistics of its own
            self.score = score_of(self.model, self.data.validation)
            self.garden.measure(self.data.validation, self.score)
            measured = self._measured(loss, self.score)
            self.journal(measured)
            self.garden.judge()
            self._save()
            yield measured

    def _measured(self, loss: float, score: float) -> EpochMeasured:
        slots = self.garden.slots
        felt = [slot for slot in slots if PATH_OF_STAGE[slot.state.stage] is ForwardPath.BLEND]
        return EpochMeasured(
            loss,
            score,
            stages={slot.slot_id: slot.state.stage for slot in slots},
            alphas={slot.slot_id: slot.state.controller.alpha for slot in slots},
            contributions={
                s.slot_id: s.state.metrics.counterfactual_contribution if s in felt else None
                for s in slots
            },
        )

    def _save(self) -> None:
        if ranks.rank() == 0:
            optimizers = self.training.optimizers
            save_checkpoint(self.checkpoint, self.model, optimizers=optimizers, epoch=self.epoch)

    @property
    def test_score(self) -> float:
        """The accuracy on the test split as the model is now, in percent."""
        return score_of(self.model, self.data.test)

    def fossils(self) -> dict[str, str]:
        """Return the blueprint of each fossilized seed, by slot."""
        states = (slot.state for slot in self.garden.slots)
        return {s.slot_id: f"{s.blueprint_id}" for s in states if s.stage is SeedStage.FOSSILIZED}


def score_of(model: nn.Module, split: Split) -> float:
    """Return the accuracy in percent, in eval mode."""
    with evaluating(model):
        return accuracy(model, split)


def build_model(
    arm: Arm, plan: GrowthPlan, data: RealData, random_seed: int, fossils: Mapping[str, str]
) -> nn.Module:
    """Return the model an arm begins with.

    `fossils` is what WHOLE has built in.
    """
    torch.manual_seed(random_seed_of(random_seed, 0))
    host = plan.build_host(data)
    if arm is Arm.WHOLE:
        algorithm = plan.alpha_algorithm
        return BakedModel(host, {s: SeedRecipe(name, algorithm) for s, name in fossils.items()})
    if arm is Arm.ALONE:
        return host
    slots = [spec.slot_id for spec in require_host(host).injection_specs()]
    return MorphogeneticModel(host, slots=slots, rules=plan.rules, telemetry=Telemetry())
