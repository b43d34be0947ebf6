"""MorphogeneticModel: a host, its slots, and the way of the features through both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from esper_ref.alpha import AlphaAlgorithm
from esper_ref.errors import RoutingError
from esper_ref.host import HostProtocol, require_host
from esper_ref.routed_forward import RoutedForward
from esper_ref.rules import DEFAULT_RULES, SlotRules
from esper_ref.slot import SeedSlot
from esper_ref.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from esper_ref.blueprint import BlueprintOption
    from esper_ref.gates import GateResult


class MorphogeneticModel(nn.Module):
    """A host that grows: at each slot a seed may germinate, learn behind it and be blended in.

    `slots` names the injection points of the host that get one, in any order. While every slot
    is dormant the model is the host, exactly.
    """

    host: HostProtocol

    def __init__(
        self,
        host: nn.Module,
        *,
        slots: Sequence[str],
        rules: SlotRules = DEFAULT_RULES,
        telemetry: Telemetry | None = None,
    ) -> None:
        super().__init__()
        self.host = require_host(host)
        specs = {spec.slot_id: spec for spec in self.host.injection_specs()}
        unknown = [slot_id for slot_id in slots if slot_id not in specs]
        if unknown or not slots:
            raise RoutingError(
                f"MorphogeneticModel: got slots {list(slots)}, of which {unknown} do not exist. "
                f"Choose at least one of {', '.join(specs)}."
            )
        self.route = tuple(slot_id for slot_id in specs if slot_id in slots)
        self.routed = RoutedForward(host, self.route)
        self.telemetry = Telemetry() if telemetry is None else telemetry
        self.seed_slots = nn.ModuleDict()
        for slot_id in self.route:
            self.seed_slots[slot_id] = SeedSlot(
                slot_id,
                specs[slot_id].channels,
                topology=self.host.topology,
                causal=self.host.causal,
                rules=rules,
                telemetry=self.telemetry,
            )

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Map the host's inputs to the host's outputs, through every slot on the way.

        It takes what the host's forward takes (see `RoutedForward`).
        """
        return self.routed(self.host, self.seed_slots, args, kwargs)

    def slot(self, slot_id: str) -> SeedSlot:
        """Return a slot by its id."""
        if slot_id not in self.route:
            raise RoutingError(f"no slot {slot_id!r}; there are {', '.join(self.route)}")
        return cast("SeedSlot", self.seed_slots[slot_id])  # nothing else is put there

    def germinate_seed(
        self,
        blueprint_id: str,
        seed_id: str | None = None,
        *,
        slot: str,
        blend_algorithm_id: str = "sigmoid",
        alpha_algorithm: AlphaAlgorithm = AlphaAlgorithm.ADD,
        blend_epochs: int | None = None,
        blueprint_options: Mapping[str, BlueprintOption] | None = None,
    ) -> GateResult:
        """Put a new seed into a dormant slot (see `SeedSlot.germinate`).

        On several ranks, germinate before `DistributedDataParallel(model)`: inside it, a seed
        would never get averaged gradients, so that it is refused with `DistributedError`.
        """
        return self.slot(slot).germinate(
            blueprint_id,
            seed_id,
            self.get_submodule("host"),
            blend_algorithm_id=blend_algorithm_id,
            alpha_algorithm=alpha_algorithm,
            blend_epochs=blend_epochs,
            blueprint_options=blueprint_options,
        )

    def cull_seed(self, slot: str, reason: str = "culled by request") -> None:
        """Remove the seed of a slot."""
        self.slot(slot).cull(reason)

    def record_gradients(self) -> None:
        """Let every slot with a seed see its gradients.

        To be called between backward and the next step.
        """
        for slot_id in self.route:
            if self.slot(slot_id).is_active:
                self.slot(slot_id).record_gradients(self.get_submodule("host"))

    def get_seed_parameters(self, slot: str | None = None) -> Iterator[nn.Parameter]:
        """Yield the parameters of one slot's seed, or of all, learned gates included."""
        for slot_id in self.route if slot is None else (slot,):
            yield from self.slot(slot_id).parameters()

    def get_host_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the host's own parameters: by owner, not by what their names look like."""
        yield from self.get_submodule("host").parameters()
