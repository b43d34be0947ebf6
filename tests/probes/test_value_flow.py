"""Outputs that no value of the input reaches: such a module runs, and one that only masks its input does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, distributions, nn

from esper_audit.findings.coverage import Stage
from esper_audit.probes.discovery.search import find_recipe
from esper_audit.probes.measure.dependence.value_flow import has_value_flow

pytestmark = pytest.mark.torch

VALUES = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


class ConstantMean(nn.Module):
    """Returns its parameter for each row."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return the constant in the shape of the rows."""
        return self.constant.expand(x.shape[:-1]) + torch.zeros_like(x)[..., 0]


class Masked(nn.Module):
    """Multiplies its input by zero, as a loss without positive pairs does."""

    def forward(self, x: Tensor) -> Tensor:
        """Return zero."""
        return (x * 0).sum()


@pytest.mark.parametrize(
    ("call", "is_reached"),
    [
        (lambda x: torch.ones(x.shape[0]), False),
        (lambda x: x.new_zeros(x.shape), False),
        (lambda x: torch.rand_like(x), False),
        (lambda x: [torch.ones(2), {"y": x[0].detach()}], True),
        (lambda x: torch.zeros(2).copy_(x[0]), True),
        (lambda x: torch.zeros(4).index_fill_(0, x[0].long(), 1.0), True),
        (lambda x: torch.ones(2) if x.sum() > 9e9 else torch.zeros(2), True),
        (lambda x: torch.zeros(2) * x.max().item(), True),
    ],
    ids=["ones", "new", "random", "nested", "copy", "index", "branch", "number"],
)
def test_values_are_followed_to_the_output(call: Any, is_reached: bool) -> None:
    assert has_value_flow([VALUES], lambda: call(VALUES)) is is_reached


def test_values_reach_an_output_that_is_computed_when_it_is_read() -> None:
    class Lazy(Mapping[str, Tensor]):
        def __getitem__(self, key: str) -> Tensor:
            return VALUES * 2

        def __iter__(self) -> Iterator[str]:
            return iter(["y"])

        def __len__(self) -> int:
            return 1

    assert has_value_flow([VALUES], Lazy)


def test_values_in_an_object_that_is_not_looked_into_may_reach_the_output() -> None:
    assert has_value_flow([object(), VALUES], lambda: torch.ones(2))
    normal = distributions.Normal(VALUES, VALUES)
    assert has_value_flow([normal], lambda: normal.mean)
    assert not has_value_flow([normal], lambda: torch.ones(2))


def test_a_module_that_reads_the_shape_of_its_input_alone_runs() -> None:
    found = find_recipe(f"{__name__}:ConstantMean")
    assert (found.stage, found.is_constant, found.reason) == (Stage.RUN, True, "")
    masked = find_recipe(f"{__name__}:Masked")
    assert (masked.stage, masked.is_constant) == (Stage.FED, False)
