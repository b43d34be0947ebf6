"""The life of a seed: its stages, the one table of legal moves, and what is known about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, SupportsFloat

from esper_ref.alpha import AlphaAlgorithm, AlphaController
from esper_ref.errors import IllegalTransitionError, MetricError
from esper_ref.strict import require_count, require_number

if TYPE_CHECKING:
    from esper_ref.blending import GateStatistics
    from esper_ref.topology import Topology


class SeedStage(IntEnum):
    """The stages of a seed.

    The numbers are written to checkpoints: never renumber. 0 stays unused.
    """

    DORMANT = 1
    GERMINATED = 2
    TRAINING = 3
    BLENDING = 4
    SHADOWING = 5
    PROBATIONARY = 6
    FOSSILIZED = 7
    CULLED = 8
    EMBARGOED = 9
    RESETTING = 10


VALID_TRANSITIONS: dict[SeedStage, frozenset[SeedStage]] = {
    SeedStage.DORMANT: frozenset({SeedStage.GERMINATED}),
    SeedStage.GERMINATED: frozenset({SeedStage.TRAINING, SeedStage.CULLED}),
    SeedStage.TRAINING: frozenset({SeedStage.BLENDING, SeedStage.CULLED}),
    SeedStage.BLENDING: frozenset({SeedStage.SHADOWING, SeedStage.CULLED}),
    SeedStage.SHADOWING: frozenset({SeedStage.PROBATIONARY, SeedStage.CULLED}),
    SeedStage.PROBATIONARY: frozenset({SeedStage.BLENDING, SeedStage.FOSSILIZED, SeedStage.CULLED}),
    SeedStage.FOSSILIZED: frozenset(),
    SeedStage.CULLED: frozenset({SeedStage.EMBARGOED}),
    SeedStage.EMBARGOED: frozenset({SeedStage.RESETTING}),
    SeedStage.RESETTING: frozenset({SeedStage.DORMANT}),
}


class ForwardPath(StrEnum):
    """What a slot's forward does. Four, however many stages there are: a graph for each."""

    IDENTITY = "identity"  # the very same tensor comes back
    INCUBATE = "incubate"  # the host's values, the seed's gradient
    BLEND = "blend"
    SETTLED = "settled"  # the seed's output itself: what a full blend by addition is


PATH_OF_STAGE: dict[SeedStage, ForwardPath] = {
    SeedStage.DORMANT: ForwardPath.IDENTITY,
    SeedStage.GERMINATED: ForwardPath.IDENTITY,
    SeedStage.TRAINING: ForwardPath.INCUBATE,
    SeedStage.BLENDING: ForwardPath.BLEND,
    SeedStage.SHADOWING: ForwardPath.BLEND,
    SeedStage.PROBATIONARY: ForwardPath.BLEND,
    SeedStage.FOSSILIZED: ForwardPath.BLEND,
    SeedStage.CULLED: ForwardPath.IDENTITY,
    SeedStage.EMBARGOED: ForwardPath.IDENTITY,
    SeedStage.RESETTING: ForwardPath.IDENTITY,
}

# From GERMINATED to FOSSILIZED: there is a seed in the slot.
ACTIVE_STAGES = frozenset(
    stage for stage in SeedStage if SeedStage.GERMINATED <= stage <= SeedStage.FOSSILIZED
)


# Where a seed goes next if its gate lets it.
NEXT_STAGE: dict[SeedStage, SeedStage] = {
    SeedStage.GERMINATED: SeedStage.TRAINING,
    SeedStage.TRAINING: SeedStage.BLENDING,
    SeedStage.BLENDING: SeedStage.SHADOWING,
    SeedStage.SHADOWING: SeedStage.PROBATIONARY,
    SeedStage.PROBATIONARY: SeedStage.FOSSILIZED,
}


@dataclass(frozen=True)
class LifecycleTiming:
    """How long things take, in epochs. `run_epochs` is the length of the whole run.

    A seed in TRAINING whose gradient ratio stays under the threshold of G2 for
    `training_patience` epochs in a row is culled. One in PROBATIONARY whose contribution falls
    under the threshold goes back to BLENDING, `most_returns` times at most. A value out of its
    range raises `RulesError`.
    """

    blend_epochs: int = 5
    embargo_epochs: int = 5
    reset_epochs: int = 1
    min_probation_epochs: int = 5
    probation_fraction: float = 0.10
    run_epochs: int = 0
    training_patience: int = 10
    most_returns: int = 2

    def __post_init__(self) -> None:
        """Refuse a time that cannot pass."""
        where = "LifecycleTiming"
        for name in (
            "blend_epochs",
            "embargo_epochs",
            "reset_epochs",
            "run_epochs",
            "most_returns",
        ):
            require_count(f"{where}: {name}", vars(self)[name])
        for name in ("min_probation_epochs", "training_patience"):
            require_count(f"{where}: {name}", vars(self)[name], 1)
        require_number(f"{where}: probation_fraction", self.probation_fraction, 0.0, 1.0)

    @property
    def probation_timeout(self) -> int:
        """Epochs in PROBATIONARY after which an undecided seed is culled: 5, or 10 % of the run."""
        return max(self.min_probation_epochs, math.ceil(self.probation_fraction * self.run_epochs))


def require_measurement(value: object, where: str) -> float:
    """Return a number, or the one value of a tensor, as a Python float.

    A tensor that stayed one would keep a device waiting and could not be written as JSON.
    """
    if not isinstance(value, float | int | SupportsFloat):  # the protocol alone takes longer
        raise MetricError(f"{where}: got {value!r}, expected a number")
    try:
        return float(value)
    except (RuntimeError, TypeError, ValueError) as error:  # a tensor of several values
        raise MetricError(f"{where}: got {value!r}, expected one number") from error


@dataclass
class SeedMetrics:
    """What was measured of a seed. Accuracies are percentages of the whole model.

    `current_alpha` is the blending timeline, not what a learned gate makes of it: it is what a
    policy controls. `gate_statistics` is what the gate did (see `GatedBlend`).
    `epochs_under_ratio` counts the latest epochs in a row in which G2 found the gradient ratio
    under its threshold.
    """

    current_accuracy: float | None = None
    best_accuracy: float | None = None
    accuracy_at_stage_start: float | None = None
    best_accuracy_in_stage: float | None = None
    accuracy_at_blending_start: float | None = None
    seed_gradient_norm_ratio: float | None = None
    counterfactual_contribution: float | None = None
    contributions_in_stage: list[float] = field(default_factory=list)
    ratios_in_stage: list[float] = field(default_factory=list)
    epochs_under_ratio: int = 0
    seed_is_healthy: bool | None = None
    current_alpha: float = 0.0
    gate_statistics: GateStatistics | None = None

    def record_accuracy(self, percent: SupportsFloat) -> None:
        """Note the accuracy of the model as it is, in percent.

        A number or a tensor of one value. Outside [0, 100] it is a `MetricError`.
        """
        percent = require_measurement(percent, "SeedMetrics.record_accuracy")
        if not 0.0 <= percent <= 100.0:
            raise MetricError(
                f"SeedMetrics.record_accuracy: got {percent}, expected a percentage in [0, 100]"
            )
        self.current_accuracy = percent
        self.best_accuracy = max(percent, self.best_accuracy or 0.0)
        if self.accuracy_at_stage_start is None:
            self.accuracy_at_stage_start = percent
            return
        self.best_accuracy_in_stage = max(percent, self.best_accuracy_in_stage or 0.0)

    def record_counterfactual(self, contribution: SupportsFloat) -> None:
        """Note metric(alpha now) minus metric(alpha = 0), measured by `evidence`."""
        contribution = require_measurement(contribution, "SeedMetrics.record_counterfactual")
        self.counterfactual_contribution = contribution
        self.contributions_in_stage.append(contribution)

    def record_gradient_ratio(self, ratio: float | None) -> None:
        """Note the gradient ratio that G2 is going to read, None where it cannot be told."""
        self.seed_gradient_norm_ratio = ratio
        if ratio is not None:
            self.ratios_in_stage.append(ratio)

    def begin_stage(self, stage: SeedStage) -> None:
        """Forget what was measured for the stage before."""
        self.accuracy_at_stage_start = self.current_accuracy
        self.best_accuracy_in_stage = None
        self.contributions_in_stage = []
        self.ratios_in_stage = []
        self.epochs_under_ratio = 0
        if stage is SeedStage.BLENDING:
            self.accuracy_at_blending_start = self.current_accuracy

    @property
    def improvement_in_stage(self) -> float | None:
        """Best accuracy since the stage began, less the accuracy it began with.

        It is None where nothing was measured.

        While a seed trains the output is the host's, so this says that the host has a signal to
        offer, not what the seed is worth.
        """
        if self.accuracy_at_stage_start is None or self.best_accuracy_in_stage is None:
            return None
        return self.best_accuracy_in_stage - self.accuracy_at_stage_start

    @property
    def blending_delta(self) -> float | None:
        """Accuracy now less the accuracy when blending began, for reports only.

        The host goes on learning while the seed is blended, so this mixes the host's drift with
        the seed's effect. No gate, reward or decision may read it: those read
        `counterfactual_contribution`.
        """
        if self.current_accuracy is None or self.accuracy_at_blending_start is None:
            return None
        return self.current_accuracy - self.accuracy_at_blending_start


@dataclass(frozen=True)
class ShapeProbe:
    """What came back when the seed was tried on features of the slot's shape.

    `failure` is None when shape, dtype and device were kept.
    """

    shape: tuple[int, ...]
    failure: str | None


@dataclass
class SeedState:
    """Where a slot is in the lifecycle, which seed it holds, and the evidence about it.

    `looks_ahead` is whether a position of the seed was seen to read a later one. It is measured in
    causal hosts only, and is None where it was not. `returns` counts the ways back from
    PROBATIONARY to BLENDING, and `ending` is why alpha is ramped down, None where it is not.
    """

    slot_id: str
    topology: Topology
    stage: SeedStage = SeedStage.DORMANT
    epochs_in_stage: int = 0
    seed_id: str | None = None
    blueprint_id: str | None = None
    alpha_algorithm: AlphaAlgorithm = AlphaAlgorithm.ADD
    controller: AlphaController = field(default_factory=AlphaController)
    metrics: SeedMetrics = field(default_factory=SeedMetrics)
    shape_probe: ShapeProbe | None = None
    looks_ahead: bool | None = None
    returns: int = 0
    ending: str | None = None

    def transition(self, target: SeedStage) -> None:
        """Move to `target`: the one place where a stage changes. An illegal move raises."""
        legal = VALID_TRANSITIONS[self.stage]
        if target not in legal:
            names = ", ".join(stage.name for stage in sorted(legal)) or "nothing: it is the end"
            raise IllegalTransitionError(
                f"slot {self.slot_id}: cannot go from {self.stage.name} to {target.name}; "
                f"from {self.stage.name} leads {names}"
            )
        self.stage = target
        self.epochs_in_stage = 0
        self.metrics.begin_stage(target)
