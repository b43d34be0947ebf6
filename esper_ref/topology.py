"""The two kinds of network a seed may live in, and where each keeps its channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from esper_ref.errors import TopologyError

if TYPE_CHECKING:
    from torch import Tensor

Topology = Literal["cnn", "transformer"]


@dataclass(frozen=True)
class Layout:
    """How features of one topology are laid out.

    `usual_width` is the channel count at which blueprints are compared with each other;
    `probe_sizes` are the other axes of a small trial batch. They are no multiples of a usual
    kernel or block, so that a seed which only fits convenient sizes is found out.
    """

    axes: tuple[str, ...]
    channel_axis: int
    usual_width: int
    probe_sizes: tuple[int, ...]


LAYOUTS: dict[Topology, Layout] = {
    "cnn": Layout(
        ("batch", "channels", "height", "width"), 1, usual_width=64, probe_sizes=(2, 9, 7)
    ),
    "transformer": Layout(("batch", "tokens", "width"), 2, usual_width=384, probe_sizes=(2, 9)),
}


def require_topology(name: str) -> Topology:
    """Return `name` as a topology, or say which ones there are."""
    for topology in LAYOUTS:
        if topology == name:
            return topology
    raise TopologyError(f"topology {name!r} does not exist; use one of {sorted(LAYOUTS)}")


def require_features(features: Tensor, topology: Topology, channels: int, where: str) -> None:
    """Refuse features of the wrong rank or width: a broadcast would answer, but wrongly."""
    layout = LAYOUTS[topology]
    if features.dim() != len(layout.axes) or features.shape[layout.channel_axis] != channels:
        raise TopologyError(
            f"{where}: got features of shape {tuple(features.shape)}, wanted "
            f"({', '.join(layout.axes)}) with {channels} channels on axis {layout.channel_axis}; "
            f"check the slot's channels and topology ({topology})"
        )


def probe_shape(topology: Topology, channels: int) -> tuple[int, ...]:
    """Return a small feature shape to try a seed on before any real features were seen."""
    layout = LAYOUTS[topology]
    before, after = (
        layout.probe_sizes[: layout.channel_axis],
        layout.probe_sizes[layout.channel_axis :],
    )
    return (*before, channels, *after)
