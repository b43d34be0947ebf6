"""Trees of outputs: tensors are found wherever a module returns them, and compared in every bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from esper_audit.probes.measure.output_tree import cloned, first_difference, named_tensors

pytestmark = pytest.mark.torch


@dataclass
class Output:
    logits: Tensor
    hidden: tuple[Tensor, ...] = ()


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


def test_tensors_of_dictionaries_tuples_and_dataclasses_have_paths() -> None:
    x = torch.ones(2)
    tree = {"a": [x, Pair(x, x)], "b": Output(x, (x,)), "c": None, "d": 3}
    assert list(named_tensors(tree)) == [
        "['a'][0]",
        "['a'][1][0]",
        "['a'][1][1]",
        "['b'].logits",
        "['b'].hidden[0]",
    ]


def test_a_distribution_is_compared_by_its_parameters() -> None:
    one, other = Normal(torch.zeros(2), torch.ones(2)), Normal(torch.zeros(2), torch.ones(2) * 2)
    assert first_difference(one, one) == ""
    assert first_difference(one, other) != ""


def test_a_path_names_the_first_difference_and_nan_equals_nan() -> None:
    nan = torch.tensor([float("nan"), 1.0])
    assert first_difference([nan, {"x": torch.ones(1)}], [nan.clone(), {"x": torch.ones(1)}]) == ""
    assert (
        first_difference([nan, {"x": torch.ones(1)}], [nan, {"x": torch.zeros(1)}])
        == "output[1]['x']"
    )


def test_a_clone_is_not_reached_by_a_later_write() -> None:
    x = torch.ones(2)
    copy = cloned({"a": (x,)})
    x.zero_()
    assert torch.equal(copy["a"][0], torch.ones(2))
