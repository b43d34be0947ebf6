"""A slot in plain types, as a checkpoint holds it: enough to rebuild its seed and go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from esper_ref.alpha import AlphaAlgorithm, AlphaController
from esper_ref.blending import GateStatistics
from esper_ref.errors import CheckpointValueError, CheckpointVersionError
from esper_ref.lifecycle import ACTIVE_STAGES, SeedMetrics, SeedStage, SeedState, ShapeProbe
from esper_ref.strict import (
    flag,
    list_of,
    mapping,
    number,
    optional,
    percentage,
    read,
    require_keys,
    share,
    text,
    whole,
)
from esper_ref.topology import LAYOUTS, require_topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from esper_ref.blueprint import BlueprintOption

FORMAT_VERSION = 3

# Numbers, strings, booleans, None, and lists and dictionaries of these.
Plain = dict[str, object]


@dataclass(frozen=True)
class SlotSnapshot:
    """What a slot is beyond its tensors."""

    channels: int
    causal: bool
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
            "causal": self.causal,
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

        Another version, another key and a wrong value are errors.
        """
        if "version" in d and d["version"] != FORMAT_VERSION:
            raise CheckpointVersionError(
                f"slot snapshot: got version {d['version']}, expected {FORMAT_VERSION}. "
                "Load it with the version of the library that wrote it."
            )
        require_keys("slot snapshot", d, ("version", *(field.name for field in fields(cls))))
        state = _state_from_dict(read("slot snapshot", d, "state", mapping))
        values = {name: read("slot snapshot", d, name, parse) for name, parse in PARSERS.items()}
        axes = LAYOUTS[state.topology].axes
        if len(values["feature_shape"]) != len(axes) or 0 in values["feature_shape"]:
            raise CheckpointValueError(
                f"slot snapshot: wrong value of key 'feature_shape' (got "
                f"{values['feature_shape']}, expected sizes of at least 1 for {', '.join(axes)})"
            )
        return cls(state=state, **values)


def _state_to_dict(state: SeedState) -> Plain:
    metrics = {field.name: getattr(state.metrics, field.name) for field in fields(SeedMetrics)}
    statistics, probe = state.metrics.gate_statistics, state.shape_probe
    metrics["gate_statistics"] = None if statistics is None else statistics.to_dict()
    for name in ("contributions_in_stage", "ratios_in_stage"):
        metrics[name] = list(metrics[name])
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
        "looks_ahead": state.looks_ahead,
        "returns": state.returns,
        "ending": state.ending,
    }


def _state_from_dict(d: Plain) -> SeedState:
    where = "slot snapshot, state"
    require_keys(where, d, (field.name for field in fields(SeedState)))
    state = SeedState(**{name: read(where, d, name, parse) for name, parse in STATE.items()})
    for name in ("seed_id", "blueprint_id"):
        if d[name] is None and state.stage in ACTIVE_STAGES:
            raise CheckpointValueError(
                f"{where}: wrong value of key {name!r} (got None, expected a text in stage "
                f"{state.stage.name})"
            )
    return state


def _metrics_from_dict(value: object) -> SeedMetrics:
    d, where = mapping(value), "slot snapshot, metrics"
    require_keys(where, d, (field.name for field in fields(SeedMetrics)))
    values = {name: read(where, d, name, parse) for name, parse in METRICS.items()}
    statistics = read(where, d, "gate_statistics", optional(mapping))
    values["gate_statistics"] = None if statistics is None else GateStatistics.from_dict(statistics)
    return SeedMetrics(**values)


def _probe_from_dict(value: object) -> ShapeProbe | None:
    if value is None:
        return None
    d, where = mapping(value), "slot snapshot, shape probe"
    require_keys(where, d, (field.name for field in fields(ShapeProbe)))
    shape = tuple(read(where, d, "shape", list_of(whole)))
    return ShapeProbe(shape, read(where, d, "failure", optional(text)))


def _option(value: object) -> BlueprintOption:
    if not isinstance(value, int | float | bool | str):
        raise TypeError("expected numbers, texts and truth values")
    return value


def read_options(value: object) -> dict[str, BlueprintOption]:
    """Return the options of a blueprint, each a number, a text or a truth value."""
    return {text(name): _option(option) for name, option in mapping(value).items()}


def _controller(value: object) -> AlphaController:
    return AlphaController.from_dict(mapping(value))


Parser = Callable[[object], Any]
PARSERS: dict[str, Parser] = {
    "channels": whole,
    "causal": flag,
    "blueprint_options": read_options,
    "blend_epochs": whole,
    "seeds_germinated": whole,
    "feature_shape": list_of(whole),
    "monitor": mapping,
}
STATE: dict[str, Parser] = {
    "slot_id": text,
    "topology": lambda value: require_topology(text(value)),
    "stage": lambda value: SeedStage(whole(value)),
    "epochs_in_stage": whole,
    "seed_id": optional(text),
    "blueprint_id": optional(text),
    "alpha_algorithm": lambda value: AlphaAlgorithm(text(value)),
    "controller": _controller,
    "metrics": _metrics_from_dict,
    "shape_probe": _probe_from_dict,
    "looks_ahead": optional(flag),
    "returns": whole,
    "ending": optional(text),
}
METRICS: dict[str, Parser] = {
    "current_accuracy": optional(percentage),
    "best_accuracy": optional(percentage),
    "accuracy_at_stage_start": optional(percentage),
    "best_accuracy_in_stage": optional(percentage),
    "accuracy_at_blending_start": optional(percentage),
    "seed_gradient_norm_ratio": optional(number),
    "counterfactual_contribution": optional(number),
    "contributions_in_stage": list_of(number),
    "ratios_in_stage": list_of(number),
    "epochs_under_ratio": whole,
    "seed_is_healthy": optional(flag),
    "current_alpha": share,
}
