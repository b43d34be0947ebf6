"""Graft: the joint of host and seed, which holds the seed and shows the host what it may feel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from esper_ref.alpha import AlphaAlgorithm, require_alpha
from esper_ref.blending import GatedBlend, GateStatistics
from esper_ref.blueprint import BlueprintOption, BlueprintRegistry
from esper_ref.errors import CheckpointError, CheckpointValueError
from esper_ref.evidence import force_alpha
from esper_ref.gradients import GradientHealthMonitor, GradientRatioNormalization
from esper_ref.isolation import blend_with_isolation, seed_input_of, settled, ste_forward
from esper_ref.lifecycle import ACTIVE_STAGES, PATH_OF_STAGE, ForwardPath, SeedStage, SeedState
from esper_ref.snapshot import Plain, SlotSnapshot
from esper_ref.topology import LAYOUTS, probe_shape, require_features, require_topology

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from esper_ref.isolation import IsolationPolicy

# Read in each forward: a member's value is looked up anew each time it is asked for.
IDENTITY, INCUBATE, SETTLED = (
    path.value for path in (ForwardPath.IDENTITY, ForwardPath.INCUBATE, ForwardPath.SETTLED)
)


class Graft(nn.Module):
    """A place for one seed: its forward, its alpha and its checkpoint.

    What moves the seed from stage to stage is `SeedSlot`.

    `forward` reads what changes only when a stage does, and alpha, a tensor that is filled in
    place. So a life costs at most four compiled graphs (identity, incubate, blend, and settled
    where a fossilized seed is coupled), and none for any value of alpha. What it reads
    are strings and booleans on purpose: torch 2.13 does not always ask of each slot again for an
    object that slots share, such as a member of an enum, and would run another stage's graph.
    """

    alpha: Tensor
    path: str
    isolated: bool
    algorithm: str

    def __init__(
        self,
        slot_id: str,
        channels: int,
        *,
        topology: str,
        causal: bool,
        isolation: IsolationPolicy,
        normalization: GradientRatioNormalization,
    ) -> None:
        super().__init__()
        self.slot_id = slot_id
        self.channels = channels
        self.topology = require_topology(topology)
        self.causal = causal and LAYOUTS[self.topology].position_axis is not None
        self.isolation = isolation
        self.state = SeedState(slot_id, self.topology)
        self.seed: nn.Module | None = None
        self.gate: GatedBlend | None = None
        self.monitor = GradientHealthMonitor(normalization)
        self.blueprint_options: dict[str, BlueprintOption] = {}
        self.blend_epochs = 0
        self.seeds_germinated = 0
        self.forced_alpha: float | None = None
        self.feature_shape = probe_shape(self.topology, channels)
        self.register_buffer("alpha", torch.zeros(()), persistent=False)
        self.show()

    def forward(self, host_features: Tensor) -> Tensor:
        """Map host features to what the host goes on with: the same shape, dtype and device."""
        if not torch.compiler.is_compiling() and self.feature_shape != host_features.shape:
            self._note_shape(host_features)  # setting it costs more than looking
        if self.path == IDENTITY or self.seed is None:
            return host_features
        require_features(host_features, self.topology, self.channels, f"slot {self.slot_id}")
        seed_input = seed_input_of(host_features, isolated=self.isolated)
        seed_features: Tensor = self.seed(seed_input)
        if self.path == SETTLED:
            return settled(host_features, seed_features)
        if self.path == INCUBATE:
            return ste_forward(host_features, seed_features)
        return blend_with_isolation(
            host_features,
            seed_features,
            self.alpha,
            seed_input=seed_input,
            algorithm=self.algorithm,
            gate=self._open_gate(seed_input),
        )

    def _note_shape(self, features: Tensor) -> None:
        """Keep the shape for the trial of G1. An empty batch would make it a trial on nothing."""
        if features.numel() > 0:
            self.feature_shape = tuple(features.shape)

    def _open_gate(self, seed_input: Tensor) -> Tensor | None:
        if self.gate is None:
            return None
        gate = self.gate.get_alpha_for_blend(seed_input)
        if gate.numel() == 0:  # an empty batch has no statistics: those of the last one stay
            return gate
        self.state.metrics.gate_statistics = GateStatistics.of(gate)
        return gate

    def show(self) -> None:
        """Derive what `forward` reads from stage, policy, controller and forced alpha."""
        alpha, path = self.state.controller.alpha, PATH_OF_STAGE[self.state.stage]
        self.state.metrics.current_alpha = alpha
        if self.forced_alpha is not None and self.seed is not None:
            alpha = self.forced_alpha
            path = ForwardPath.BLEND if alpha > 0.0 else ForwardPath.IDENTITY
        self.isolated = self.isolation.isolates(self.topology, self.state.stage)
        self.algorithm = self.state.alpha_algorithm.value
        if self._is_settled():
            path = ForwardPath.SETTLED
        self.path = path.value
        self.alpha.fill_(alpha)

    def _is_settled(self) -> bool:
        """Return whether the blend is the seed's output, in values and in gradients.

        lerp(h, s, 1) is s, and gives h itself no gradient. An isolated host is left with a
        gradient of zeros, which is another thing than none: there the blend stays.
        """
        adds = self.state.alpha_algorithm is AlphaAlgorithm.ADD
        fossilized = self.state.stage is SeedStage.FOSSILIZED and self.forced_alpha is None
        return fossilized and adds and not self.isolated

    def force_alpha(self, a: float) -> AbstractContextManager[None]:
        """Show the slot at `a` inside a `with` block, whatever the stage.

        An `a` of 0 is the bare host.
        """
        return force_alpha(self, a)

    def override_alpha(self, alpha: float | None) -> None:
        """Show `alpha` until told otherwise, None for the stage's own. See `force_alpha`."""
        where = f"slot {self.slot_id}, forced"
        self.forced_alpha = None if alpha is None else require_alpha(alpha, where)
        self.show()

    @contextmanager
    def alpha_by_row(self, alphas: Tensor) -> Iterator[None]:
        """Show each row of a batch at its own alpha inside a `with` block: `alphas` has (batch,).

        A row at 0 is the bare host's. A slot without a seed stays the identity.
        """
        axes = len(LAYOUTS[self.topology].axes)
        before, shape = self.alpha, self.feature_shape
        self.alpha = alphas.view(-1, *(1,) * (axes - 1))
        if self.seed is not None:
            self.path = ForwardPath.BLEND.value
        try:
            yield
        finally:
            self.alpha, self.feature_shape = before, shape
            self.show()

    @property
    def is_active(self) -> bool:
        """Return whether there is a seed in the slot."""
        return self.state.stage in ACTIVE_STAGES

    def parts(self) -> tuple[nn.Module, ...]:
        """Return what the seed consists of: itself and, under GATE, its gate."""
        return tuple(part for part in (self.seed, self.gate) if part is not None)

    def build(
        self, snapshot: SlotSnapshot, like: nn.Module | None = None
    ) -> tuple[nn.Module, GatedBlend | None]:
        """Return the seed and the gate that `snapshot` names, untrained.

        Nothing of this slot changes.

        They take device and dtype of `like`'s first parameter, or of the slot.
        """
        spec = BlueprintRegistry.get(self.topology, f"{snapshot.state.blueprint_id}")
        options = spec.options_in(causal=self.causal, options=snapshot.blueprint_options)
        seed = spec.build(self.channels, **options)
        gate = None
        if snapshot.state.alpha_algorithm is AlphaAlgorithm.GATE:
            steps = max(1, snapshot.blend_epochs)  # a blend of 0 epochs ends with its first step
            gate = GatedBlend(self.channels, self.topology, steps, causal=self.causal)
        place = self.alpha if like is None else next(like.parameters(), self.alpha)
        for part in (seed, gate):
            if part is not None:
                part.to(place.device, place.dtype).train(self.training)
        return seed, gate

    def occupy(
        self, snapshot: SlotSnapshot, seed: nn.Module | None, gate: GatedBlend | None
    ) -> None:
        """Become what `snapshot` says, with these parts.

        Without parts the slot is empty.
        """
        self.seed, self.gate, self.state = seed, gate, snapshot.state
        self.blueprint_options = dict(snapshot.blueprint_options)
        self.blend_epochs = snapshot.blend_epochs
        self.seeds_germinated = snapshot.seeds_germinated
        self.feature_shape = tuple(snapshot.feature_shape)
        self.monitor.load_dict(snapshot.monitor)
        self.show()

    def get_extra_state(self) -> Plain:
        """Return what the slot is beyond its tensors.

        It is a part of `state_dict`.
        """
        return SlotSnapshot(
            self.channels,
            self.causal,
            self.state,
            self.blueprint_options,
            self.blend_epochs,
            self.seeds_germinated,
            list(self.feature_shape),
            self.monitor.to_dict(),
        ).to_dict()

    def set_extra_state(self, state: Plain) -> None:
        """Become what `get_extra_state` described: rebuild its seed, or empty the slot.

        `load_state_dict` calls this before it loads the seed's own tensors.
        """
        snapshot = SlotSnapshot.from_dict(state)
        saved = snapshot.state
        here = (self.slot_id, self.topology, self.channels, self.causal)
        there = (saved.slot_id, saved.topology, snapshot.channels, snapshot.causal)
        if here != there:
            raise CheckpointError(
                f"slot {self.slot_id}: the checkpoint is of slot, topology, channels, causal {there}, "
                f"expected {here}. Build the model as it was when the checkpoint was written."
            )
        if snapshot.state.stage not in ACTIVE_STAGES:
            self.occupy(snapshot, None, None)
            return
        self.occupy(snapshot, *self._rebuild(snapshot))

    def _rebuild(self, snapshot: SlotSnapshot) -> tuple[nn.Module, GatedBlend | None]:
        with torch.random.fork_rng(devices=[]):  # loading leaves the random stream alone
            try:
                return self.build(snapshot)
            except (TypeError, ValueError, RuntimeError) as error:
                raise CheckpointValueError(
                    f"slot {self.slot_id}: no seed can be built of blueprint_id = "
                    f"{snapshot.state.blueprint_id!r} and blueprint_options = "
                    f"{snapshot.blueprint_options}: {error}"
                ) from error
