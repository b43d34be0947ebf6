"""The other kinds of subjects: ratios, schedules, averages, gates, protocols, hosts, decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esper_audit.probes.subject.subject import Module, Subject

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Ratio(Subject):
    """A ratio of gradient norms.

    `call(built, seed_norm, host_norm, seed_params, host_params)` returns the ratio, or None if it is not
    measured. A norm is None if there is no gradient; `seed_params` and `host_params` are counts.
    """

    call: Callable[[Any, float | None, float | None, int, int], float | None]


@dataclass(frozen=True, kw_only=True)
class Schedule(Subject):
    """A controller of a share in [0, 1]: `build()` returns one with value 0.

    `retarget(built, target, steps, curve)` starts a ramp, `step(built)` advances it by one step and
    `value(built)` reads it. `curves` maps names to values of `curve`. `save(built)` returns a checkpoint,
    from which `load(checkpoint)` returns another controller.
    """

    retarget: Callable[[Any, float, int, Any], object]
    step: Callable[[Any], object]
    value: Callable[[Any], float]
    curves: Mapping[str, object]
    save: Callable[[Any], object] | None = None
    load: Callable[[Any], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Average(Subject):
    """A running average: `build()` returns one without samples.

    `constants` are samples that it takes: positive ones for an average of norms. `start` is the value that
    it has before the first sample, such as the weight of the model; None if it has none.
    """

    update: Callable[[Any, float], object]
    value: Callable[[Any], float]
    constants: Sequence[float] = (1.0, -3.5, 1e-6, 1e6)
    start: float | None = None


@dataclass(frozen=True, kw_only=True)
class Gate(Subject):
    """A gate that admits a seed to a level by evidence.

    `complete(level)` returns evidence that passes, `lacking(level)` maps each missing piece to evidence
    without it. `judge(built, level, evidence)` returns a result that `passed` and `reasons` read. The
    levels of `unknown` do not exist.
    """

    levels: Sequence[Any]
    unknown: Sequence[Any]
    complete: Callable[[Any], Any]
    lacking: Callable[[Any], Mapping[str, Any]]
    judge: Callable[[Any, Any, Any], Any]
    passed: Callable[[Any], bool]
    reasons: Callable[[Any], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Conformance(Subject):
    """An object that must satisfy the `Protocol` class `protocol`."""

    protocol: type


@dataclass(frozen=True, kw_only=True)
class ObservedGate(Module):
    """A module with a learned gate that reports statistics of its values.

    `statistics(module)` returns them after a forward, `gate(module, inputs)` computes the values of the
    gate again. `gate_parameters(module)` are those of the gate, `learning(module)` those that the
    optimiser of the seed receives.
    """

    statistics: Callable[[Any], Mapping[str, Tensor | float] | None]
    gate: Callable[[Any, Tensor], Tensor]
    gate_parameters: Callable[[Any], Sequence[nn.Parameter]]
    learning: Callable[[Any], Sequence[nn.Parameter]]


@dataclass(frozen=True, kw_only=True)
class Host(Module):
    """A network in segments between slots.

    `slots(module)` returns the names of the slots in order. `to_segment(module, slot, features, start)`
    runs from a slot (None for the input) to a slot, `from_segment(module, slot, features)` runs from
    there to the output.
    """

    slots: Callable[[Any], Sequence[str]]
    to_segment: Callable[[Any, str, Tensor, str | None], Tensor]
    from_segment: Callable[[Any, str, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Grown(Module):
    """A host with seeds.

    `host(module)` returns the host, `alone(host, inputs)` runs it without the seeds, and
    `seed_parameters(module)` returns the parameters of the seeds.
    """

    host: Callable[[Any], nn.Module]
    alone: Callable[[Any, Tensor], Tensor]
    seed_parameters: Callable[[Any], Sequence[nn.Parameter]]


@dataclass(frozen=True, kw_only=True)
class Decision(Subject):
    """A decision that all ranks of a distributed run take together, by `decide(built, evidence)`.

    On the evidence `yes` a rank alone would decide True, on `no` it would decide False.
    """

    decide: Callable[[Any, Any], bool]
    yes: Any = True
    no: Any = False
