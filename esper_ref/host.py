"""What a host is: a network that can be entered and left at its injection points."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
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
    """

    topology: ClassVar[Topology]

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
    """Return `host` as a host, or say what it lacks. Looks at the class, runs nothing but specs.

    The signatures are compared as well: `isinstance` with a protocol looks at names alone.
    """
    members = {
        name: value for cls in reversed(type(host).__mro__) for name, value in vars(cls).items()
    }
    faults = [fault for name in _METHODS if (fault := _fault(name, members))]
    if "topology" not in members or members["topology"] not in LAYOUTS:
        faults.append(f"class attribute topology, one of {sorted(LAYOUTS)}")
    if faults:
        raise HostError(f"{type(host).__name__} is no host; it lacks {'; '.join(faults)}")
    conforming = cast("HostProtocol", host)  # what was compared above is the protocol
    _require_specs(type(host).__name__, conforming.injection_specs())
    return conforming


_METHODS = ("injection_specs", "forward", "forward_to_segment", "forward_from_segment")


def _fault(name: str, members: dict[str, object]) -> str | None:
    wanted = inspect.signature(vars(HostProtocol)[name])
    member = members.get(name)
    if not inspect.isfunction(member):
        return f"method {name}{wanted}"
    found = inspect.signature(member).parameters
    for parameter in wanted.parameters.values():
        if parameter.name not in found:
            return f"parameter {parameter.name!r} of method {name}{wanted}"
    return None


def _require_specs(host: str, specs: tuple[InjectionSpec, ...]) -> None:
    ids = [spec.slot_id for spec in specs]
    if not ids or len(set(ids)) < len(ids) or not all(map(SLOT_ID.fullmatch, ids)):
        raise HostError(
            f"{host}: got injection points {ids}, wanted at least one, each with its own id "
            "of the form r0c0"
        )


class SegmentRoute:
    """The order of a host's slots, and which layers lie between two of them."""

    def __init__(self, specs: tuple[InjectionSpec, ...]) -> None:
        self.ends = {spec.slot_id: spec.layer_range[1] for spec in specs}

    def layers(self, start: str | None, stop: str) -> range:
        """Return the layers from `start` (None: the input) to `stop`.

        A `stop` before `start` is an error.
        """
        first, last = 0 if start is None else self.end(start), self.end(stop)
        if first > last:
            raise RoutingError(
                f"cannot route backwards from segment {start} to {stop}; the order is "
                f"{', '.join(self.ends)}"
            )
        return range(first, last)

    def end(self, segment: str) -> int:
        """Return one past the last layer of `segment`."""
        if segment not in self.ends:
            raise RoutingError(
                f"segment {segment!r} does not exist; there are {', '.join(self.ends)}"
            )
        return self.ends[segment]
