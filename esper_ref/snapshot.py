"""A slot in plain types, as a checkpoint holds it: enough to rebuild its seed and go on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, cast

from esper_ref.alpha import AlphaAlgorithm, AlphaController
from esper_ref.blending import GateStatistics
from esper_ref.errors import CheckpointVersionError
from esper_ref.lifecycle import SeedMetrics, SeedStage, SeedState, ShapeProbe
from esper_ref.strict import require_keys
from esper_ref.topology import require_topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esper_ref.blueprint import BlueprintOption

FORMAT_VERSION = 2

# Numbers, strings, booleans, None, and lists and dictionaries of these.
Plain = dict[str, object]


@dataclass(frozen=True)
class SlotSnapshot:
    """What a slot is beyond its tensors."""

    channels: int
    state: SeedState
    blueprint_options: dict[str, BlueprintOption]
    blend_epochs: int
    seeds_germinated: int
    feature_shape: list[int]  # what G1 probes with: the shape that the slot last saw
    monitor: Mapping[str, Mapping[str, Mapping[str, float]]]

    def to_dict(self) -> Plain:
        """Return it as plain types, which `torch.load(weights_only=True)` accepts."""
        return {
            "version": FORMAT_VERSION,
            "channels": self.channels,
            "state": _state_to_dict(self.state),
            "blueprint_options": dict(self.blueprint_options),
            "blend_epochs": self.blend_epochs,
            "seeds_germinated": self.seeds_germinated,
            "feature_shape": list(self.feature_shape),
            "monitor": self.monitor,
        }

    @classmethod
    def from_dict(cls, d: Plain) -> SlotSnapshot:
        """Return what `to_dict` wrote.

        Another version and any other key are errors.
        """
        if "version" in d and d["version"] != FORMAT_VERSION:
            raise CheckpointVersionError(
                f"slot snapshot: got version {d['version']}, wanted {FORMAT_VERSION}; "
                "load it with the version of the library that wrote it"
            )
        require_keys("slot snapshot", d, ("version", *(field.name for field in fields(cls))))
        values = {key: value for key, value in d.items() if key not in ("version", "state")}
        state = _state_from_dict(cast("Plain", d["state"]))
        return cls(state=state, **values)  # type: ignore[arg-type]  # plain, as `to_dict` wrote it


def _state_to_dict(state: SeedState) -> Plain:
    metrics = {field.name: getattr(state.metrics, field.name) for field in fields(SeedMetrics)}
    statistics, probe = state.metrics.gate_statistics, state.shape_probe
    metrics["gate_statistics"] = None if statistics is None else statistics.to_dict()
    metrics["contributions_in_stage"] = list(state.metrics.contributions_in_stage)
    return {
        "slot_id": state.slot_id,
        "topology": state.topology,
        "stage": int(state.stage),
        "epochs_in_stage": state.epochs_in_stage,
        "seed_id": state.seed_id,
        "blueprint_id": state.blueprint_id,
        "alpha_algorithm": state.alpha_algorithm.value,
        "controller": state.controller.to_dict(),
        "metrics": metrics,
        "shape_probe": None if probe is None else asdict(probe) | {"shape": list(probe.shape)},
    }


def _state_from_dict(d: Plain) -> SeedState:
    require_keys("slot snapshot, state", d, (field.name for field in fields(SeedState)))
    values = dict(d)
    values["topology"] = require_topology(cast("str", d["topology"]))
    values["stage"] = SeedStage(cast("int", d["stage"]))
    values["alpha_algorithm"] = AlphaAlgorithm(cast("str", d["alpha_algorithm"]))
    values["controller"] = AlphaController.from_dict(
        cast("dict[str, float | int | str]", d["controller"])
    )
    values["metrics"] = _metrics_from_dict(cast("Plain", d["metrics"]))
    values["shape_probe"] = _probe_from_dict(cast("Plain | None", d["shape_probe"]))
    return SeedState(**values)  # type: ignore[arg-type]  # every value was parsed above


def _metrics_from_dict(d: Plain) -> SeedMetrics:
    require_keys("slot snapshot, metrics", d, (field.name for field in fields(SeedMetrics)))
    values = dict(d)
    statistics = cast("dict[str, float] | None", d["gate_statistics"])
    values["gate_statistics"] = None if statistics is None else GateStatistics.from_dict(statistics)
    values["contributions_in_stage"] = list(cast("list[float]", d["contributions_in_stage"]))
    return SeedMetrics(**values)  # type: ignore[arg-type]  # plain, as it was written


def _probe_from_dict(d: Plain | None) -> ShapeProbe | None:
    if d is None:
        return None
    require_keys("slot snapshot, shape probe", d, (field.name for field in fields(ShapeProbe)))
    shape = tuple(cast("list[int]", d["shape"]))
    return ShapeProbe(shape, cast("str | None", d["failure"]))
