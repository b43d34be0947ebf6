"""The kinds of network a seed may live in, and where each keeps its channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from esper_ref.errors import TopologyError

if TYPE_CHECKING:
    from torch import Tensor

# The name of a layout: "cnn", "transformer", or one that was registered.
Topology: TypeAlias = str


@dataclass(frozen=True)
class Layout:
    """How features of one topology are laid out.

    `usual_width` is the channel count at which blueprints are compared with each other;
    `probe_sizes` are the other axes of a small trial batch. They are no multiples of a usual
    kernel or block, so that a seed which only fits convenient sizes is found out. `position_axis`
    is the axis along which a causal host looks only backwards, None where positions have no order.
    `isolated` is what the isolation policy begins with: whether the seed's gradient is kept from
    the host from BLENDING on. Axis 0 is the batch.
    """

    axes: tuple[str, ...]
    channel_axis: int
    usual_width: int
    probe_sizes: tuple[int, ...]
    position_axis: int | None = None
    isolated: bool = False

    def __post_init__(self) -> None:
        """Refuse axes and sizes that contradict each other."""
        inner = range(1, len(self.axes))
        if self.channel_axis not in inner or self.position_axis not in (None, *inner):
            raise TopologyError(
                f"layout of axes {self.axes}: got channel_axis = {self.channel_axis} and "
                f"position_axis = {self.position_axis}, expected axes from 1 to {len(inner)}"
            )
        if self.channel_axis == self.position_axis or len(self.probe_sizes) != len(inner):
            raise TopologyError(
                f"layout of axes {self.axes}: got probe_sizes {self.probe_sizes}, expected a size "
                "for each axis but the channels, which are not the positions"
            )


LAYOUTS: dict[Topology, Layout] = {
    "cnn": Layout(
        ("batch", "channels", "height", "width"),
        channel_axis=1,
        usual_width=64,
        probe_sizes=(2, 9, 7),
        isolated=True,
    ),
    "transformer": Layout(
        ("batch", "tokens", "width"),
        channel_axis=2,
        usual_width=384,
        probe_sizes=(2, 9),
        position_axis=1,
    ),
}


def register_topology(name: str, layout: Layout) -> None:
    """Add a topology of your own. A name that is registered already is a `TopologyError`."""
    if name in LAYOUTS:
        raise TopologyError(f"topology {name!r} is already registered; choose another name")
    LAYOUTS[name] = layout


def unregister_topology(name: str) -> None:
    """Remove a topology. A name that is not registered is a `TopologyError`."""
    del LAYOUTS[require_topology(name)]


def require_topology(name: str) -> Topology:
    """Return `name` as a topology, or say which ones there are."""
    if name not in LAYOUTS:
        raise TopologyError(f"topology {name!r} does not exist; use one of {sorted(LAYOUTS)}")
    return name


def require_features(features: Tensor, topology: Topology, channels: int, where: str) -> None:
    """Refuse features of the wrong rank or width: a broadcast would answer, but wrongly."""
    layout = LAYOUTS[topology]
    if features.dim() != len(layout.axes) or features.shape[layout.channel_axis] != channels:
        raise TopologyError(
            f"{where}: got features of shape {tuple(features.shape)}, expected "
            f"({', '.join(layout.axes)}) with {channels} channels on axis {layout.channel_axis}. "
            f"Check the slot's channels and topology ({topology})."
        )


def probe_shape(topology: Topology, channels: int) -> tuple[int, ...]:
    """Return a small feature shape to try a seed on before any real features were seen."""
    layout = LAYOUTS[topology]
    before, after = (
        layout.probe_sizes[: layout.channel_axis],
        layout.probe_sizes[layout.channel_axis :],
    )
    return (*before, channels, *after)
