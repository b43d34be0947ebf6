"""What a host is: a network that can be entered and left at its injection points."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import partialmethod
from types import FunctionType
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from esper_ref.errors import HostError, RoutingError
from esper_ref.topology import LAYOUTS, Topology

if TYPE_CHECKING:
    from torch import Tensor, nn

SLOT_ID = re.compile(r"r\d+c\d+")


@dataclass(frozen=True)
class InjectionSpec:
    """A place where a seed may be put.

    `slot_id` is "r{row}c{column}", `position` the depth in (0, 1], and `layer_range` the layers
    between the injection point before and this one, from the first to one past the last.
    """

    slot_id: str
    channels: int
    position: float
    layer_range: tuple[int, int]


class HostProtocol(Protocol):
    """A network cut into segments, each ending in a slot.

    For any slot, `forward_from_segment(slot, forward_to_segment(slot, x))` is `forward(x)`,
    exactly. Hosts do not change their layers after construction: routes are computed once.
    `topology` and `causal` may be attributes of the class, of the instance, or properties.

    `causal` is whether no position sees a later one. Seeds and gates take it from the host: a
    seed that looked ahead would make a causal host's loss a lie.

    `forward` may take further inputs by name, such as a mask. Both segment methods then take the
    same names, and get the same values.
    """

    topology: ClassVar[Topology]
    causal: ClassVar[bool]

    def injection_specs(self) -> tuple[InjectionSpec, ...]:
        """Return the injection points in the order in which features pass them."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for a batch of inputs."""

    def forward_to_segment(
        self, segment: str, x: Tensor, from_segment: str | None = None
    ) -> Tensor:
        """Return the features at slot `segment`, from inputs or from features at `from_segment`."""

    def forward_from_segment(self, segment: str, x: Tensor) -> Tensor:
        """Return the output, from features at slot `segment`."""


def require_host(host: nn.Module) -> HostProtocol:
    """Return `host` as a host, or raise `HostError` with what it lacks.

    What counts is that each method takes the calls that the model makes: the names of its other
    parameters do not matter. `topology` and `causal` may belong to the class or to the
    instance.
    """
    members = {
        name: value for cls in reversed(type(host).__mro__) for name, value in vars(cls).items()
    } | vars(host)
    inputs = input_names(host)[1:]
    faults = [fault for name in _CALLS if (fault := _fault(name, members, host, inputs))]
    faults += _attribute_faults(members, host)
    if faults:
        raise HostError(f"{type(host).__name__} is no host; it lacks {'; '.join(faults)}")
    conforming = cast("HostProtocol", host)  # what was compared above is the protocol
    _require_specs(type(host).__name__, conforming.injection_specs())
    return conforming


# How the model calls a host: positional arguments, and keywords. None stands for any value.
_CALLS: dict[str, tuple[tuple[int, tuple[str, ...]], ...]] = {
    "injection_specs": ((0, ()),),
    "forward": ((1, ()),),
    "forward_to_segment": ((2, ()), (2, ("from_segment",))),
    "forward_from_segment": ((2, ()),),
}


def input_names(host: nn.Module) -> tuple[str, ...]:
    """Return the names of what the host's forward takes, the features' own input first."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(host.forward).parameters.values()
    return tuple(parameter.name for parameter in parameters if parameter.kind in named)


def _attribute_faults(members: dict[str, object], host: nn.Module) -> list[str]:
    found = {name: _bound(members.get(name), host) for name in ("topology", "causal")}
    if found["topology"] not in list(LAYOUTS):
        return [f"attribute topology, one of {sorted(LAYOUTS)}"]
    if not isinstance(found["causal"], bool):
        return ["attribute causal, True or False: whether no position sees a later one"]
    if found["causal"] and LAYOUTS[f"{found['topology']}"].position_axis is None:
        return [f"attribute causal = False: a {found['topology']} has no order of positions"]
    return []


def _fault(
    name: str, members: dict[str, object], host: nn.Module, inputs: tuple[str, ...]
) -> str | None:
    member = members.get(name)
    method = _bound(member, host) if name not in vars(host) else member
    if not callable(method):
        return f"method {name}{_wanted(name)}"
    found = inspect.signature(method)
    inputs = () if name == "injection_specs" else inputs
    for count, keywords in _CALLS[name]:
        try:
            found.bind(*(None,) * count, **dict.fromkeys((*keywords, *inputs)))
        except TypeError as error:
            return f"method {name}{_wanted(name)} (got {name}{found}: {error})"
    return None


def _wanted(name: str) -> inspect.Signature:
    return inspect.signature(vars(HostProtocol)[name])


def _bound(member: object, host: nn.Module) -> object:
    """Return a class attribute as the instance has it. Nothing of the host runs but a property."""
    if isinstance(member, _DESCRIPTORS):
        return member.__get__(host, type(host))
    return member


_DESCRIPTORS = (FunctionType, staticmethod, classmethod, partialmethod, property)


def _require_specs(host: str, specs: tuple[InjectionSpec, ...]) -> None:
    ids = [spec.slot_id for spec in specs]
    if not ids or len(set(ids)) < len(ids) or not all(map(SLOT_ID.fullmatch, ids)):
        raise HostError(
            f"{host}: got injection points {ids}, expected at least one, each with its own id "
            "of the form r0c0"
        )


class SegmentRoute:
    """The order of a host's slots, and which layers lie between two of them."""

    def __init__(self, specs: tuple[InjectionSpec, ...]) -> None:
        self.ends = {spec.slot_id: spec.layer_range[1] for spec in specs}
        starts: list[tuple[str | None, int]] = [(None, 0), *self.ends.items()]
        self._layers = {
            (start, stop): range(first, last)
            for start, first in starts
            for stop, last in self.ends.items()
            if first <= last
        }

    def layers(self, start: str | None, stop: str) -> range:
        """Return the layers from `start` (None: the input) to `stop`.

        A `stop` before `start` is an error.
        """
        layers = self._layers.get((start, stop))
        if layers is None:
            for segment in (start, stop):
                if segment is not None:
                    self.end(segment)  # raises for one that does not exist
            raise RoutingError(
                f"cannot route backwards from segment {start} to {stop}; the order is "
                f"{', '.join(self.ends)}"
            )
        return layers

    def end(self, segment: str) -> int:
        """Return one past the last layer of `segment`."""
        if segment not in self.ends:
            raise RoutingError(
                f"segment {segment!r} does not exist; there are {', '.join(self.ends)}"
            )
        return self.ends[segment]
