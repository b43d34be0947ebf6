"""Kinds of subjects beside modules, blends and blueprints: functions, controllers, gates, hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from esper_audit.probes.subject.subject import Module, Subject

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Ratio(Subject):
    """A ratio of gradient norms: `build()` returns a function, or what holds one.

    `call(built, seed_norm, host_norm, seed_params, host_params)` returns the ratio, None for unmeasured.
    Norms are None where no gradient was taken.
    """

    call: Callable[[Any, float | None, float | None, int, int], float | None]


@dataclass(frozen=True, kw_only=True)
class Schedule(Subject):
    """A controller of a share in [0, 1]: `build()` returns one that rests at 0.

    `retarget(built, target, steps, curve)` begins a ramp, `step` takes one step of it, `value` reads it.
    `save` and `load(saved)`, which returns another controller, are its way through a checkpoint.
    """

    retarget: Callable[[Any, float, int, Any], object]
    step: Callable[[Any], object]
    value: Callable[[Any], float]
    curves: Mapping[str, object]
    save: Callable[[Any], object] | None = None
    load: Callable[[Any], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Average(Subject):
    """A running average: `build()` returns one that has seen nothing."""

    update: Callable[[Any, float], object]
    value: Callable[[Any], float]


@dataclass(frozen=True, kw_only=True)
class Gate(Subject):
    """A gate that lets a seed go on, or not, by evidence: `build()` returns what judges.

    `complete(level)` is evidence that passes, `lacking(level)` evidence by what is missing from it.
    `judge(built, level, evidence)` returns a result that `passed` and `reasons` read; a level of
    `unknown` does not exist.
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
    """An object that is meant to satisfy a `Protocol`."""

    protocol: type


@dataclass(frozen=True, kw_only=True)
class ObservedGate(Module):
    """A module with a learned gate inside, which tells by `statistics(module)` what its gate did.

    `gate(module, inputs)` computes the gate's values once more; `gate_parameters` are the gate's,
    `learning` those that the owner hands to the optimiser of the seed.
    """

    statistics: Callable[[Any], Mapping[str, Tensor | float] | None]
    gate: Callable[[Any, Tensor], Tensor]
    gate_parameters: Callable[[Any], Sequence[nn.Parameter]]
    learning: Callable[[Any], Sequence[nn.Parameter]]


@dataclass(frozen=True, kw_only=True)
class Host(Module):
    """A network in segments: `slots` in their order, and the way to and from each."""

    slots: Callable[[Any], Sequence[str]]
    to_segment: Callable[[Any, str, Tensor, str | None], Tensor]
    from_segment: Callable[[Any, str, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Grown(Module):
    """A host with seeds in it: `host(module)` is the host, `alone(host, inputs)` runs it without them."""

    host: Callable[[Any], nn.Module]
    alone: Callable[[Any, Tensor], Tensor]
    seed_parameters: Callable[[Any], Sequence[nn.Parameter]]


@dataclass(frozen=True, kw_only=True)
class Decision(Subject):
    """A decision that all ranks of a run take together: `decide(built, evidence)` says yes or no.

    `yes` and `no` are what a rank may have seen, and would decide so by itself.
    """

    decide: Callable[[Any, Any], bool]
    yes: Any = True
    no: Any = False
