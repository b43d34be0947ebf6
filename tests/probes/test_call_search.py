"""Calls whose arguments an annotation, a name or a message explains."""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import NegativeBinomial, Normal

from esper_audit.findings.coverage import Stage
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.recipes.values import CallSpec, NameSpec, tensors_in

pytestmark = pytest.mark.torch


class Attended:
    """A mask with an operation of its own."""

    def __init__(self, bool_mask: Tensor) -> None:
        if bool_mask.dtype != torch.bool:
            raise ValueError("expected a boolean mask")
        self.bool_mask = bool_mask

    def applied(self, x: Tensor) -> Tensor:
        return x.masked_fill(~self.bool_mask[..., None], 0.0)


class Side(Enum):
    LEFT = "left"
    RIGHT = "right"


class Attending(nn.Module):
    """Takes objects after its first argument."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(8, 8)

    def forward(self, x: Tensor, attention: Attended, side: Side) -> Tensor:
        mixed = self.mix(attention.applied(x))
        return mixed if side is Side.LEFT else -mixed


class Masking(nn.Module):
    """Takes a tensor or an object, where a tensor is enough."""

    def forward(self, x: Tensor, mask: Attended | Tensor) -> Tensor:
        assert isinstance(mask, Tensor)
        return x * mask.sum()


class OfNodes(nn.Module):
    """Indexes rows by an argument whose name is that of an index."""

    def forward(self, node_emb: Tensor, edge_emb: Tensor, i: Tensor) -> Tensor:
        return torch.cat([node_emb[i], edge_emb], 1)


class OfEdges(nn.Module):
    """Takes edges first, and one number for each edge and for each node."""

    def forward(self, edge_index: Tensor, edge_time: Tensor, seed_time: Tensor) -> Tensor:
        return edge_time - seed_time[edge_index[1]]


class OfRelations(nn.Module):
    """Indexes a table by an argument that may be left out, and must not."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(4, width))

    def forward(self, x: Tensor, edge_index: Tensor, edge_type: Tensor | None = None) -> Tensor:
        assert edge_type is not None, "edge_type is needed"
        return x[edge_index[0]] * self.table[edge_type]


class Likelihood(nn.Module):
    """Takes a scale that has to be positive."""

    def forward(self, loc: Tensor, spread: Tensor, value: Tensor) -> Tensor:
        return -Normal(loc, spread, validate_args=True).log_prob(value)


class Counting(nn.Module):
    """Takes counts, which are no fractions."""

    def forward(self, logits: Tensor, value: Tensor) -> Tensor:
        return -NegativeBinomial(2, logits=logits, validate_args=True).log_prob(value)


class Concatenating(nn.Module):
    """Joins two inputs whose widths are together that of its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(64, 2)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        out: Tensor = self.mix(torch.cat([first, second], -1))
        return out


class LongSignal(nn.Module):
    """Wants more samples than a window has."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] <= 4096:
            raise ValueError(
                f"Input length ({x.shape[-1]}) must be larger than the FFT size (4096)."
            )
        return x * 2


class Resized(nn.Module):
    """Names the shape that it wants as a product of axes."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != (3, 40, 24):
            raise ValueError(f"Input image shape must be Bx3x40x24. Got: {x.shape}")
        return x * 2


class Points(nn.Module):
    """Names the shape that it wants as a list of texts."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 2 or x.shape[1] != 2:
            raise ValueError(f"Expected shape: ['N', '2'] Actual shape: {list(x.shape)}")
        return x * 2


class Graded(nn.Module):
    """Names the range of one number for each picture."""

    def forward(self, x: Tensor, quality: Tensor) -> Tensor:
        if quality.dim() != 1:
            raise ValueError(f"expected 1 dimensions, got {quality.dim()}. Expected shape: ['B']")
        if quality.min() < 2 or quality.max() > 100:
            raise ValueError(f"quality is out of range. Expected range is [2, 100], got {quality}")
        return x * quality[:, None, None, None]


class ClassMap(nn.Module):
    """Wants a map without channels beside a picture, and names the shapes of both."""

    def forward(self, pred: Tensor, answer: Tensor) -> Tensor:
        for one, wanted in ((answer, ["B", "H", "W"]), (pred, ["B", "N", "H", "W"])):
            if one.dim() != len(wanted):
                raise ValueError(
                    f"expected {len(wanted)} dimensions, got {one.dim()}. Expected shape: {wanted}"
                )
        if pred.shape[2:] != answer.shape[1:]:
            raise ValueError(f"shapes must be the same. Got: {pred.shape} and {answer.shape}")
        if answer.min() < 0 or answer.dtype.is_floating_point:
            raise ValueError("Class values must be non-negative.")
        return pred * answer[:, None]


class Volumes(nn.Module):
    """Wants two tensors of another rank, and says the same of each."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        for one in (first, second):
            if one.dim() != 5:
                raise ValueError("expected 5 dimensions")
        return first * second


class Messages(nn.Module):
    """Wants as many rows of one argument as of edges."""

    def forward(self, x: Tensor, edge_index: Tensor, message: Tensor) -> Tensor:
        rows, wanted = len(message), edge_index.shape[1]
        if rows != wanted:
            raise ValueError(
                f"Encountered tensor with size {rows} in dimension 0, but expected size {wanted}."
            )
        return x[edge_index[0]] * message


class Levels(nn.Module):
    """Joins what it is given."""

    def forward(self, levels: Tensor) -> Tensor:
        if isinstance(levels, Tensor):
            raise TypeError(
                "cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"
            )
        return torch.cat(levels, 1)


class InPlace(nn.Module):
    """Returns the object that it is given, with another tensor in it."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(8, 8)

    def forward(self, sample):  # type: ignore[no-untyped-def]
        return SimpleNamespace(features=self.mix(sample.features))


FOUND = (
    Attending, Masking, OfNodes, OfEdges, OfRelations, Likelihood, Counting, Concatenating,
    LongSignal, Resized, ClassMap, Graded, Points, Volumes, Messages, Levels, InPlace,
)  # fmt: skip


@pytest.mark.parametrize("kind", FOUND, ids=lambda kind: str(kind.__name__))
def test_a_call_that_a_name_or_a_message_explains_runs(kind: type[nn.Module]) -> None:
    result = find_recipe(f"{__name__}:{kind.__name__}")
    assert result.stage is Stage.RUN, result.reason


def test_an_argument_after_the_first_is_an_object_of_its_class() -> None:
    _, attention, side = find_recipe(f"{__name__}:Attending").recipe.call.args
    assert isinstance(attention, CallSpec)
    assert attention.path == f"{__name__}:Attended"
    assert isinstance(side, NameSpec)


def test_a_tensor_comes_before_an_object_where_both_are_allowed() -> None:
    assert len(tensors_in(find_recipe(f"{__name__}:Masking").recipe.call)) == 2


class InUnits(nn.Module):
    """Takes values in an interval, and then what no search finds."""

    def forward(self, x: Tensor) -> Tensor:
        if x.min() < 0 or x.max() > 1:
            raise ValueError("inputs should be in interval (0.0, 1.0)")
        raise LookupError("no table of colours")


def test_the_reason_is_that_of_the_call_that_came_furthest() -> None:
    result = find_recipe(f"{__name__}:InUnits")
    assert result.reason == "could not be fed: LookupError: no table of colours"
