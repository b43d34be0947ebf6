"""SlotRules: the gates, the isolation, the times and the normalisation of a slot, together."""

from __future__ import annotations

from dataclasses import dataclass, field

from esper_ref.errors import RulesError
from esper_ref.gates import QualityGates
from esper_ref.gradients import GradientRatioNormalization
from esper_ref.isolation import IsolationPolicy
from esper_ref.lifecycle import LifecycleTiming


@dataclass(frozen=True)
class SlotRules:
    """The rules of a slot. The slots of one model share them."""

    gates: QualityGates = field(default_factory=QualityGates)
    isolation: IsolationPolicy = field(default_factory=IsolationPolicy)
    timing: LifecycleTiming = field(default_factory=LifecycleTiming)
    normalization: GradientRatioNormalization = GradientRatioNormalization.SQRT_PARAMS

    def __post_init__(self) -> None:
        """Refuse thresholds that the times never let a seed reach."""
        thresholds, timing = self.gates.thresholds, self.timing
        if thresholds.contribution_epochs > timing.probation_timeout:
            raise RulesError(
                f"SlotRules: G5 needs {thresholds.contribution_epochs} contributions, but the "
                f"probation ends after {timing.probation_timeout} epochs. Lower "
                "contribution_epochs or raise min_probation_epochs."
            )
        if thresholds.min_training_epochs > timing.training_patience:
            raise RulesError(
                f"SlotRules: got training_patience = {timing.training_patience}, expected at "
                f"least min_training_epochs = {thresholds.min_training_epochs}"
            )


DEFAULT_RULES = SlotRules()
