"""CNNHost: conv-BN-ReLU(-pool) blocks of doubling width, one slot a block."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from esper_ref.errors import HostError
from esper_ref.host import InjectionSpec, SegmentRoute

if TYPE_CHECKING:
    from esper_ref.topology import Topology


class ConvBlock(nn.Module):
    """Conv, BatchNorm, ReLU, and a pool that halves the picture if it is asked for."""

    def __init__(self, in_channels: int, out_channels: int, *, pooled: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.activation = nn.ReLU()
        self.pool = nn.MaxPool2d(2) if pooled else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to (batch, out_channels, h, w)."""
        x = self.activation(self.norm(self.conv(x)))  # (batch, out_channels, height, width)
        out: Tensor = self.pool(x)  # (batch, out_channels, height / 2, width / 2) if pooled
        return out


class CNNHost(nn.Module):
    """A plain classifier of pictures. Block i has base_channels * 2**i channels.

    The first `pooled_blocks` blocks halve the picture; a picture must survive that: 8 x 8 allows
    three. Slots are r0c0, r0c1, ..., each after its block.
    """

    topology: ClassVar[Topology] = "cnn"
    causal: ClassVar[bool] = False

    def __init__(
        self,
        num_classes: int = 10,
        n_blocks: int = 3,
        base_channels: int = 32,
        *,
        in_channels: int = 3,
        pooled_blocks: int = 3,
    ) -> None:
        super().__init__()
        if n_blocks < 1:
            raise HostError(f"CNNHost: got n_blocks = {n_blocks}, expected at least 1")
        widths = [in_channels, *(base_channels * 2**i for i in range(n_blocks))]
        self.blocks = nn.ModuleList(
            ConvBlock(widths[i], widths[i + 1], pooled=i < pooled_blocks) for i in range(n_blocks)
        )
        self.head = nn.Linear(widths[-1], num_classes)
        self.specs = tuple(
            InjectionSpec(f"r0c{i}", widths[i + 1], (i + 1) / n_blocks, (i, i + 1))
            for i in range(n_blocks)
        )
        self.route = SegmentRoute(self.specs)

    def injection_specs(self) -> tuple[InjectionSpec, ...]:
        """Return one injection point a block."""
        return self.specs

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures (batch, in_channels, height, width) to logits (batch, classes)."""
        for block in self.blocks:
            x = block(x)  # (batch, channels, height, width)
        return self.classify(x)

    def forward_to_segment(
        self, segment: str, x: Tensor, from_segment: str | None = None
    ) -> Tensor:
        """Return features (batch, channels, height, width) after the block of `segment`."""
        layers = self.route.layers(from_segment, segment)
        for block in islice(self.blocks, layers.start, layers.stop):
            x = block(x)
        return x

    def forward_from_segment(self, segment: str, x: Tensor) -> Tensor:
        """Return logits (batch, classes) from the features after the block of `segment`."""
        for block in islice(self.blocks, self.route.end(segment), None):
            x = block(x)
        return self.classify(x)

    def classify(self, x: Tensor) -> Tensor:
        """Map the last block's features to logits."""
        x = x.mean(dim=(2, 3))  # (batch, channels)
        logits: Tensor = self.head(x)  # (batch, classes)
        return logits
