"""What decides about growing: a policy is shown every slot once an epoch, and answers with actions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from esper_ref.errors import PolicyError
from esper_ref.lifecycle import ACTIVE_STAGES, SeedStage

if TYPE_CHECKING:
    from esper_ref.slot import SeedSlot


@dataclass(frozen=True)
class SlotObservation:
    """What a policy sees of one slot. Contributions are in points of the metric.

    `gradient_ratio`, `contribution` and `gate_mean` are None where they were not measured.
    """

    slot_id: str
    stage: SeedStage
    epochs_in_stage: int
    seeds_germinated: int
    blueprint_id: str | None
    alpha: float
    gradient_ratio: float | None
    contribution: float | None
    gate_mean: float | None

    @property
    def is_on_trial(self) -> bool:
        """Return whether the slot holds a seed that is not yet fossilized."""
        return self.stage in ACTIVE_STAGES and self.stage is not SeedStage.FOSSILIZED


@dataclass(frozen=True)
class Observation:
    """What a policy sees before an epoch is trained: epoch 1 is the first of `epochs`."""

    epoch: int
    epochs: int
    score: float | None
    slots: tuple[SlotObservation, ...]

    @property
    def on_trial(self) -> tuple[SlotObservation, ...]:
        """The slots with a seed that is not yet fossilized."""
        return tuple(slot for slot in self.slots if slot.is_on_trial)


@dataclass(frozen=True)
class Germinate:
    """Put a seed of a blueprint into a dormant slot."""

    slot_id: str
    blueprint_id: str


@dataclass(frozen=True)
class Cull:
    """Remove a seed at once."""

    slot_id: str
    reason: str


@dataclass(frozen=True)
class RampDown:
    """Take a blended seed out over some epochs, then remove it."""

    slot_id: str
    epochs: int
    reason: str


Action: TypeAlias = Germinate | Cull | RampDown


class GrowthPolicy(Protocol):
    """Decides where seeds germinate and which are given up. The gates decide the rest.

    It is asked once an epoch, before the epoch is trained, and on every rank: equal observations
    have to give equal actions. State of its own is not in a checkpoint, so that a resumed run
    asks a new policy: derive what you need from the observation.
    """

    def decide(self, observed: Observation) -> Iterable[Action]:
        """Return the actions for the coming epoch, in the order in which they are taken."""


@dataclass(frozen=True)
class RoundRobin:
    """One seed at a time: the first dormant slot gets the next blueprint it has not tried.

    So what a seed does to the metric is its own doing. Seeds begin after the `warm_up`, and early
    enough for a life of `longest_life` epochs to end within the run.
    """

    blueprints: Sequence[str]
    warm_up: int
    longest_life: int

    def decide(self, observed: Observation) -> Iterable[Action]:
        """Return one germination, or nothing."""
        waiting = [s for s in observed.slots if awaits_seed(s, self.blueprints)]
        if observed.on_trial or not waiting or not self.is_in_time(observed):
            return ()
        slot = waiting[0]
        return (Germinate(slot.slot_id, self.blueprints[slot.seeds_germinated]),)

    def is_in_time(self, observed: Observation) -> bool:
        """Return whether a seed that begins now can live its whole life."""
        remaining = observed.epochs - observed.epoch + 1
        return observed.epoch > self.warm_up and remaining >= self.longest_life


@dataclass(frozen=True)
class EvidenceDriven:
    """Several seeds at a time, given up early by what their gates and gradients show.

    Up to `most_on_trial` slots hold a seed on trial. A blended seed whose learned gate lets less
    than `closed_gate` of it through is ramped down, since the network has learned not to use it. So
    is one whose contribution lies under `-worst_contribution` points. A seed in TRAINING whose
    gradient ratio is under `silent_ratio` after `patience` epochs is culled.
    """

    beginning: RoundRobin
    most_on_trial: int = 2
    closed_gate: float = 0.05
    worst_contribution: float = 1.0
    silent_ratio: float = 0.01
    patience: int = 3
    ramp_epochs: int = 2

    def decide(self, observed: Observation) -> Iterable[Action]:
        """Return what is given up, then what begins."""
        for slot in observed.on_trial:
            yield from self._give_up(slot)
        if not self.beginning.is_in_time(observed):
            return
        blueprints = self.beginning.blueprints
        waiting = [slot for slot in observed.slots if awaits_seed(slot, blueprints)]
        for slot in waiting[: max(0, self.most_on_trial - len(observed.on_trial))]:
            yield Germinate(slot.slot_id, blueprints[slot.seeds_germinated])

    def _give_up(self, slot: SlotObservation) -> Iterable[Action]:
        ratio, mean, found = slot.gradient_ratio, slot.gate_mean, slot.contribution
        if slot.stage is SeedStage.TRAINING:
            is_due = slot.epochs_in_stage >= self.patience
            if is_due and ratio is not None and ratio < self.silent_ratio:
                yield Cull(slot.slot_id, f"gradient ratio {ratio:.4f}")
        elif slot.stage is SeedStage.PROBATIONARY:
            if mean is not None and mean < self.closed_gate:
                yield RampDown(slot.slot_id, self.ramp_epochs, f"the gate lets {mean:.3f} through")
            elif found is not None and found < -self.worst_contribution:
                yield RampDown(slot.slot_id, self.ramp_epochs, f"contribution {found:.2f}")


def awaits_seed(slot: SlotObservation, blueprints: Sequence[str]) -> bool:
    """Return whether a slot is dormant and has a blueprint left to try."""
    return slot.stage is SeedStage.DORMANT and slot.seeds_germinated < len(blueprints)


def observe(slot: SeedSlot) -> SlotObservation:
    """Return what a policy may see of a slot. Waits for the device."""
    state, metrics = slot.state, slot.state.metrics
    statistics = metrics.gate_statistics
    return SlotObservation(
        slot_id=slot.slot_id,
        stage=state.stage,
        epochs_in_stage=state.epochs_in_stage,
        seeds_germinated=slot.seeds_germinated,
        blueprint_id=state.blueprint_id,
        alpha=state.controller.alpha,
        gradient_ratio=slot.monitor.ratio() if slot.monitor.has_observed else None,
        contribution=metrics.counterfactual_contribution,
        gate_mean=None if statistics is None else statistics.mean.item(),
    )


def require_slot(slots: Sequence[SeedSlot], action: Action) -> SeedSlot:
    """Return the slot of an action. A slot that does not exist raises `PolicyError`."""
    for slot in slots:
        if slot.slot_id == action.slot_id:
            return slot
    known = ", ".join(slot.slot_id for slot in slots)
    raise PolicyError(f"policy: got {action}, expected one of the slots {known}")
