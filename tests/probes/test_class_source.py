"""A layer of torch under another name is told from a class that computes something itself."""

from __future__ import annotations

import pytest
from torch import Tensor, nn

from esper_audit.probes.subject.class_source import is_renamed_layer

pytestmark = pytest.mark.torch


class Added:
    """Operators that other losses are added by."""

    def __add__(self, other: object) -> object:
        return other


class Renamed(nn.BCELoss, Added):
    def __init__(self) -> None:
        super().__init__(reduction="sum")


class Scaled(Renamed):
    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        return 2 * super().forward(x, target)


class Block(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(8, 8))


class Own(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(
    ("kind", "is_renamed"),
    [(Renamed, True), (Scaled, False), (Block, False), (Own, False), (nn.BCELoss, False)],
)
def test_only_a_layer_that_computes_nothing_itself_is_a_renamed_one(
    kind: type, *, is_renamed: bool
) -> None:
    assert is_renamed_layer(kind) is is_renamed
