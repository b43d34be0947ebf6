"""SegmentedHost: a network that exists already as a host, cut into its own modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from esper_ref.errors import HostError
from esper_ref.host import InjectionSpec, SegmentRoute, input_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esper_ref.topology import Topology


class SegmentedHost(nn.Module):
    """A host whose features pass `segments` in order, and then `head`.

    `channels` are the widths of the features after each segment: a slot is there. The modules are
    taken as they are, with their weights, and not copied. `inputs` names further inputs, such as a
    mask: every segment, and the head, gets those that its own forward takes.

    A ResNet is `SegmentedHost([stem, layer1, ...], channels=[64, ...], head=..., topology="cnn")`.
    """

    def __init__(
        self,
        segments: Sequence[nn.Module],
        channels: Sequence[int],
        *,
        topology: Topology,
        head: nn.Module | None = None,
        causal: bool = False,
        inputs: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if not segments or len(segments) != len(channels):
            raise HostError(
                f"SegmentedHost: got {len(segments)} segments and channels {list(channels)}, "
                "expected at least one segment and the width of the features after each"
            )
        self.topology, self.causal = topology, causal
        self.segments = nn.ModuleList(segments)
        self.head = nn.Identity() if head is None else head
        self.specs = tuple(
            InjectionSpec(f"r0c{i}", width, (i + 1) / len(segments), (i, i + 1))
            for i, width in enumerate(channels)
        )
        self.route = SegmentRoute(self.specs)
        self.inputs = tuple(inputs)
        self.taken = [self._taken(module) for module in (*segments, self.head)]

    def _taken(self, module: nn.Module) -> tuple[str, ...]:
        names = () if isinstance(module, nn.Sequential | nn.Identity) else input_names(module)
        return tuple(name for name in self.inputs if name in names[1:])

    def injection_specs(self) -> tuple[InjectionSpec, ...]:
        """Return one injection point a segment."""
        return self.specs

    def forward(self, x: Tensor, **inputs: object) -> Tensor:
        """Map inputs to the head's outputs."""
        return self._finish(self._pass(range(len(self.segments)), x, inputs), inputs)

    def forward_to_segment(
        self, segment: str, x: Tensor, from_segment: str | None = None, **inputs: object
    ) -> Tensor:
        """Return the features after `segment`, from inputs or from features at `from_segment`."""
        return self._pass(self.route.layers(from_segment, segment), x, inputs)

    def forward_from_segment(self, segment: str, x: Tensor, **inputs: object) -> Tensor:
        """Return the head's outputs from the features after `segment`."""
        rest = range(self.route.end(segment), len(self.segments))
        return self._finish(self._pass(rest, x, inputs), inputs)

    def _pass(self, layers: range, x: Tensor, inputs: dict[str, object]) -> Tensor:
        self._require_known(inputs)
        for i in layers:
            x = self.segments[i](x, **{n: inputs[n] for n in self.taken[i] if n in inputs})
        return x

    def _finish(self, x: Tensor, inputs: dict[str, object]) -> Tensor:
        out: Tensor = self.head(x, **{n: inputs[n] for n in self.taken[-1] if n in inputs})
        return out

    def _require_known(self, inputs: dict[str, object]) -> None:
        unknown = [name for name in inputs if name not in self.inputs]
        if unknown:
            raise TypeError(
                f"SegmentedHost: got the inputs {unknown}, expected some of {list(self.inputs)}"
            )
