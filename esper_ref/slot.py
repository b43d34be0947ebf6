"""SeedSlot: the life of a seed between two segments of a host, from germination to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esper_ref.alpha import AlphaAlgorithm, AlphaController, AlphaCurve, require_alpha
from esper_ref.distributed import require_unwrapped, sync_gate_decision
from esper_ref.errors import IllegalTransitionError, SlotError
from esper_ref.gate_evidence import gather_evidence
from esper_ref.gates import FALLEN, GATE_OF_STAGE, RATIO_CHECK, GateLevel, GateResult
from esper_ref.gradients import GradientHealthMonitor
from esper_ref.graft import Graft
from esper_ref.lifecycle import (
    NEXT_STAGE,
    VALID_TRANSITIONS,
    SeedStage,
    SeedState,
)
from esper_ref.rules import DEFAULT_RULES, SlotRules
from esper_ref.slot_events import gate_events, statistics_events
from esper_ref.snapshot import SlotSnapshot
from esper_ref.telemetry import (
    Culled,
    Fossilized,
    Germinated,
    StageChanged,
    Telemetry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from esper_ref.blueprint import BlueprintOption


class SeedSlot(Graft):
    """Holds at most one seed and moves it through its stages by the gates.

    An epoch is: train, calling `record_gradients` between backward and step; measure, with
    `state.metrics.record_accuracy` and, once the host feels the seed,
    `state.metrics.record_counterfactual`; then `step_epoch`.

    `causal` is whether no position of the host sees a later one, where the topology has an order
    of positions. Such a slot refuses a seed that looks ahead.
    """

    def __init__(
        self,
        slot_id: str,
        channels: int,
        *,
        topology: str = "cnn",
        causal: bool = True,
        rules: SlotRules = DEFAULT_RULES,
        telemetry: Telemetry | None = None,
    ) -> None:
        super().__init__(
            slot_id,
            channels,
            topology=topology,
            causal=causal,
            isolation=rules.isolation,
            normalization=rules.normalization,
        )
        self.rules = rules
        self.telemetry = Telemetry() if telemetry is None else telemetry

    def germinate(
        self,
        blueprint_id: str,
        seed_id: str | None = None,
        host_module: nn.Module | None = None,
        *,
        blend_algorithm_id: str = "sigmoid",
        alpha_algorithm: AlphaAlgorithm = AlphaAlgorithm.ADD,
        blend_epochs: int | None = None,
        blueprint_options: Mapping[str, BlueprintOption] | None = None,
    ) -> GateResult:
        """Put a new seed into a dormant slot, and return what G0 said.

        `blend_algorithm_id` is the curve of the ramp: linear, cosine or sigmoid. The seed takes
        device and dtype of `host_module`, or of the slot. Whatever fails, the slot is as it was.
        """
        if self.state.stage is not SeedStage.DORMANT:
            raise SlotError(
                f"slot {self.slot_id}: germinate: holds {self.state.seed_id} in {self.state.stage.name}, "
                "expected a DORMANT slot. Cull the seed and let the embargo end."
            )
        require_unwrapped(self, f"slot {self.slot_id}: germinate")
        epochs = self.rules.timing.blend_epochs if blend_epochs is None else blend_epochs
        curve = AlphaCurve(blend_algorithm_id)
        state = SeedState(self.slot_id, self.topology)
        state.controller = AlphaController(alpha_curve=curve, alpha_steps_total=epochs)
        state.blueprint_id = blueprint_id
        state.seed_id = seed_id or f"{self.slot_id}-{blueprint_id}-{self.seeds_germinated}"
        state.alpha_algorithm = AlphaAlgorithm(alpha_algorithm)
        plan = SlotSnapshot(
            channels=self.channels,
            causal=self.causal,
            state=state,
            blueprint_options=dict(blueprint_options or {}),
            blend_epochs=epochs,
            seeds_germinated=self.seeds_germinated + 1,
            feature_shape=list(self.feature_shape),
            monitor=GradientHealthMonitor().to_dict(),
        )
        return self._plant(plan, host_module)

    def _plant(self, plan: SlotSnapshot, host_module: nn.Module | None) -> GateResult:
        parts = self.build(plan, host_module)
        result = self._judge(plan.state, SeedStage.GERMINATED)
        if result.passed:
            self.occupy(plan, *parts)
            count = sum(p.numel() for part in self.parts() for p in part.parameters())
            self.telemetry.emit(Germinated(*self._who(), self._blueprint(), self.topology, count))
            self._move(SeedStage.GERMINATED)
        return result

    def advance_stage(self, target: SeedStage | None = None) -> GateResult:
        """Ask the gate of `target` (by default the next stage) and go there if it says so."""
        stage = self.state.stage
        wanted = NEXT_STAGE[stage] if target is None and stage in NEXT_STAGE else target
        is_forward = wanted is not None and stage < wanted and wanted in VALID_TRANSITIONS[stage]
        if wanted is None or not is_forward or wanted not in GATE_OF_STAGE:
            to = "" if wanted is None else f" to {wanted.name}"
            raise IllegalTransitionError(
                f"slot {self.slot_id}: no gate leads from {stage.name}{to}; DORMANT is left by "
                "germinate, an active stage by advance_stage() or cull(reason), the stages after "
                "a cull by step_epoch, FOSSILIZED never"
            )
        gather_evidence(self, wanted)
        result = self._judge(self.state, wanted)
        if result.passed:
            self._move(wanted)
        return result

    def step_epoch(self) -> GateResult | None:
        """Let an epoch pass: clocks, the ramp of alpha, then the next gate, whose word is returned.

        A seed still on probation at the timeout is culled, and so is one in TRAINING whose
        gradient ratio stayed under its threshold for the patience. One on probation whose latest
        contribution fell under the threshold goes back to BLENDING, with its alpha. A culled slot
        serves its embargo and one reset epoch, and is DORMANT again; no gate is asked on that
        way, nor while alpha is ramped down.
        """
        if self.state.stage is SeedStage.CULLED:
            self._move(SeedStage.EMBARGOED)
        self.state.epochs_in_stage += 1
        if self.state.stage is SeedStage.BLENDING:
            self.state.controller.step()
            self.show()
            if self.state.ending is not None:
                self._end_ramp_down(self.state.ending)
                return None
        for event in statistics_events(self.state):
            self.telemetry.emit(event)
        if self.state.stage not in NEXT_STAGE:
            self._serve_embargo()
            return None
        result = self.advance_stage()
        if not result.passed:
            self._end_patience(result)
        return result

    def _end_patience(self, result: GateResult) -> None:
        """Cull a seed whose time is up in the stage that `result` did not let it leave.

        It reads the decision that all ranks share, so that no rank culls alone.
        """
        timing, metrics = self.rules.timing, self.state.metrics
        timeout, patience = timing.probation_timeout, timing.training_patience
        is_under = RATIO_CHECK in result.checks_failed
        metrics.epochs_under_ratio = metrics.epochs_under_ratio + 1 if is_under else 0
        if metrics.epochs_under_ratio >= patience:
            self.cull(f"gradient ratio under its threshold for {patience} epochs: {result.message}")
        elif result.gate is GateLevel.G5 and self.state.epochs_in_stage >= timeout:
            self.cull(f"undecided after {timeout} epochs of probation: {result.message}")
        elif FALLEN in result.notes and self.state.returns < timing.most_returns:
            self.state.returns += 1
            self._move(SeedStage.BLENDING)

    def ramp_down(self, epochs: int, reason: str) -> None:
        """Take a blended seed out over `epochs` epochs, and cull it when alpha is 0.

        It is legal in BLENDING, where it ends a ramp, and in PROBATIONARY. Until the end the
        stage is BLENDING and no gate is asked.
        """
        if self.state.stage is SeedStage.PROBATIONARY:
            self._move(SeedStage.BLENDING)
        self._require_blending("ramp_down")
        self.set_alpha(self.state.controller.alpha)
        self.state.ending = reason
        self.state.controller.retarget(alpha_target=0.0, alpha_steps_total=epochs)
        self.show()

    def _end_ramp_down(self, reason: str) -> None:
        if self.state.controller.holds_target:
            self.cull(f"ramped down: {reason}")

    def _serve_embargo(self) -> None:
        epochs, timing = self.state.epochs_in_stage, self.rules.timing
        if self.state.stage is SeedStage.EMBARGOED and epochs >= timing.embargo_epochs:
            self._move(SeedStage.RESETTING)
        elif self.state.stage is SeedStage.RESETTING and epochs >= timing.reset_epochs:
            self._move(SeedStage.DORMANT)

    def cull(self, reason: str) -> None:
        """Remove the seed, for a reason. One that is fossilized, or not there, is an error."""
        who, blueprint = self._who(), self._blueprint()
        self._move(SeedStage.CULLED)
        self.telemetry.emit(Culled(*who, blueprint, reason))

    def set_alpha(self, a: float) -> None:
        """Hold the blend at `a`, ending any ramp.

        It is legal only in BLENDING: the other stages fix alpha.
        """
        self._require_blending("set_alpha")
        a = require_alpha(a, f"slot {self.slot_id}")
        before = self.state.controller
        self.state.controller = AlphaController(
            a, a, a, alpha_curve=before.alpha_curve, alpha_steepness=before.alpha_steepness
        )
        self.show()

    def retarget_alpha(
        self, *, alpha_target: float, alpha_steps_total: int, alpha_curve: AlphaCurve | None = None
    ) -> None:
        """Begin another ramp (see `AlphaController.retarget`).

        A snap shows at once.
        """
        self._require_blending("retarget_alpha")
        self.state.controller.retarget(
            alpha_target=alpha_target,
            alpha_steps_total=alpha_steps_total,
            alpha_curve=alpha_curve,
        )
        self.show()

    def _require_blending(self, what: str) -> None:
        if self.state.ending is not None:
            raise SlotError(
                f"slot {self.slot_id}: {what} came while alpha is ramped down to 0 "
                f"({self.state.ending}). Cull the seed to end it now."
            )
        if self.state.stage is not SeedStage.BLENDING:
            raise SlotError(
                f"slot {self.slot_id}: {what} is for BLENDING, the stage is "
                f"{self.state.stage.name}, which fixes alpha at {self.state.controller.alpha}. "
                "Use force_alpha to look at another value."
            )

    def record_gradients(self, host: nn.Module) -> None:
        """Let the monitor see what the last backward left on the host and on the seed."""
        self.monitor.observe(host, *self.parts())

    def _judge(self, state: SeedState, target: SeedStage) -> GateResult:
        """Ask the gate of `target`, agree on its answer with the other ranks, and tell."""
        gates = self.rules.gates
        result = sync_gate_decision(gates.check_gate(state, target))
        for event in gate_events(state, target, result, gates.thresholds):
            self.telemetry.emit(event)
        return result

    def _move(self, target: SeedStage) -> None:
        """Go to `target`, do what entering it takes, and tell."""
        who, before, metrics = self._who(), self.state.stage, self.state.metrics
        epochs, delta = self.state.epochs_in_stage, metrics.blending_delta
        self.state.transition(target)
        if target is SeedStage.BLENDING and before is SeedStage.TRAINING:
            self.state.controller.retarget(alpha_target=1.0, alpha_steps_total=self.blend_epochs)
        if target is SeedStage.CULLED:
            self._empty()
        if target is SeedStage.DORMANT:
            self.state = SeedState(self.slot_id, self.topology)
        self.show()
        contribution = metrics.counterfactual_contribution
        self.telemetry.emit(StageChanged(*who, before, target, epochs, contribution, delta))
        if target is SeedStage.FOSSILIZED:
            self.telemetry.emit(Fossilized(*who, self._blueprint(), contribution))

    def _empty(self) -> None:
        self.seed = self.gate = None
        self.state.controller = AlphaController()
        self.state.metrics.gate_statistics = None
        self.monitor = GradientHealthMonitor(self.rules.normalization)

    def _who(self) -> tuple[str, str]:
        return self.slot_id, f"{self.state.seed_id}"

    def _blueprint(self) -> str:
        return f"{self.state.blueprint_id}"
