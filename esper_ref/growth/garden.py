"""The garden: what happens at the slots of a growing model, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from esper_ref.evidence import Counterfactual
from esper_ref.growth.plan import GrowthPlan, random_seed_of
from esper_ref.growth.training import Training, accuracy
from esper_ref.lifecycle import PATH_OF_STAGE, ForwardPath, SeedStage
from esper_ref.model import MorphogeneticModel
from esper_ref.policy import Germinate, Observation, RampDown, observe, require_slot

if TYPE_CHECKING:
    from esper_ref.growth.data import Split
    from esper_ref.slot import SeedSlot

# A seed that stays in one of these has a gate that will not let it go on. (BLENDING always ends,
# and the library itself ends a probation.)
STAGES_WITHOUT_END = (SeedStage.GERMINATED, SeedStage.TRAINING, SeedStage.SHADOWING)


class Garden:
    """Does what the policy decides, measures what each seed adds, and lets the gates judge.

    A model without slots has an empty garden, in which nothing happens.
    """

    slots: list[SeedSlot]

    def __init__(self, plan: GrowthPlan, model: nn.Module, training: Training) -> None:
        self.plan, self.model, self.training = plan, model, training
        self.host, self.slots = model, []
        if isinstance(model, MorphogeneticModel):
            self.host = model.get_submodule("host")
            self.slots = [model.slot(slot_id) for slot_id in model.route]
        self.policy = plan.make_policy()

    def host_parameters(self) -> list[nn.Parameter]:
        """Return what learns from the first step on."""
        return list(self.host.parameters())

    def take_up_seeds(self) -> None:
        """Give each seed that is there an optimiser."""
        for slot in self.slots:
            if slot.is_active:
                self.training.take_up(slot.slot_id, slot.parameters())

    def act(self, epoch: int, score: float | None) -> None:
        """Do what the policy decides for the coming epoch.

        `score` is the last validation accuracy.
        """
        slots = tuple(observe(slot) for slot in self.slots)
        for action in self.policy.decide(Observation(epoch, self.plan.epochs, score, slots)):
            slot = require_slot(self.slots, action)
            if isinstance(action, Germinate):
                self._germinate(slot, action.blueprint_id, epoch, score)
            elif isinstance(action, RampDown):
                slot.ramp_down(action.epochs, action.reason)
            else:
                slot.cull(action.reason)
                self.training.give_up(slot.slot_id)

    def _germinate(
        self, slot: SeedSlot, blueprint_id: str, epoch: int, score: float | None
    ) -> None:
        torch.manual_seed(random_seed_of(self.training.random_seed, epoch))  # alike on all ranks
        slot.germinate(
            blueprint_id, host_module=self.host, alpha_algorithm=self.plan.alpha_algorithm
        )
        if score is not None:
            slot.state.metrics.record_accuracy(score)  # improvement is counted from here
        slot.advance_stage()
        self.training.take_up(slot.slot_id, slot.parameters())

    def record_gradients(self) -> None:
        """Let seeds on trial see their gradients and the host's.

        To be called between backward and step.
        """
        for slot in filter(on_trial, self.slots):
            slot.record_gradients(self.host)

    def measure(self, validation: Split, score: float) -> None:
        """Record the accuracy, and for each seed the host feels what it adds to it."""
        for slot in self.slots:
            if slot.is_active:
                slot.state.metrics.record_accuracy(score)
        felt = [s for s in self.slots if PATH_OF_STAGE[s.state.stage] is ForwardPath.BLEND]
        for slot in felt:
            found = Counterfactual.measure(self.model, slot, validation, accuracy)
            slot.state.metrics.record_counterfactual(found.contribution)

    def judge(self) -> None:
        """Let an epoch pass at every slot: the gates decide, and patience ends."""
        for slot in self.slots:
            slot.step_epoch()
            stage, epochs = slot.state.stage, slot.state.epochs_in_stage
            if stage in STAGES_WITHOUT_END and epochs >= self.plan.patience:
                slot.cull(f"no gate opened in {epochs} epochs of {stage.name}")
            if not slot.is_active:
                self.training.give_up(slot.slot_id)


def on_trial(slot: SeedSlot) -> bool:
    """Whether the slot holds a seed that is not yet fossilized."""
    return slot.is_active and slot.state.stage is not SeedStage.FOSSILIZED
