"""The two passes of a counterfactual see the same data, or the caller learns of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import pytest
import torch
from support.slots_in_stages import inputs, make_model, redraw, walk_to
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from esper_ref import Counterfactual, MorphogeneticModel, SeedStage, counterfactual_contribution
from esper_ref.errors import MetricError
from esper_ref.evidence import PassesDifferWarning

SAMPLES = 12


def grown() -> MorphogeneticModel:
    model = make_model("cnn")
    model.germinate_seed("norm", slot="r0c0")
    redraw(model.get_seed_parameters())
    walk_to(model.slot("r0c0"), SeedStage.SHADOWING)
    return model


def mean_over(model: nn.Module, batches: Iterable[Tensor]) -> float:
    outputs = [model(batch).mean().item() for batch in batches]
    return sum(outputs) / len(outputs) if outputs else 0.0


def measured(batches: object, metric: Callable[..., float] = mean_over) -> float:
    model = grown()
    return counterfactual_contribution(model, model.slot("r0c0"), batches, metric)


def loader(*, shuffle: bool) -> DataLoader[Tensor]:
    pictures = list(torch.randn(SAMPLES, 1, 8, 8))
    return DataLoader(pictures, batch_size=4, shuffle=shuffle)  # type: ignore[arg-type]  # a list has length and items


@pytest.mark.parametrize(
    "one_shot",
    [
        (inputs("cnn") for _ in range(3)),
        iter([inputs("cnn")]),
        map(torch.neg, [inputs("cnn")]),
        enumerate([inputs("cnn")]),
        iter(DataLoader(TensorDataset(torch.zeros(2)))),
    ],
    ids=["generator", "list_iterator", "map", "enumerate", "loader_iterator"],
)
def test_an_iterator_that_runs_dry_is_refused(one_shot: object) -> None:
    with pytest.raises(MetricError, match="can be read only once"):
        measured(one_shot, lambda _model, _batch: 21.0)


@pytest.mark.parametrize(
    "data",
    [[torch.randn(2, 1, 8, 8) for _ in range(3)], loader(shuffle=False)],
    ids=["list", "loader"],
)
def test_two_equal_passes_are_measured_in_silence(data: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert measured(data) != 0.0


def test_a_loader_that_shuffles_is_warned_of() -> None:
    with pytest.warns(PassesDifferWarning, match=r"other inputs .* than in the first pass"):
        measured(loader(shuffle=True))


class Noisy:
    """Data whose samples are augmented anew in each pass."""

    def __iter__(self) -> object:
        return iter([torch.randn(2, 1, 8, 8)])


class Shrinks:
    """Data that a pass uses up by half."""

    def __init__(self) -> None:
        self.batches = [torch.ones(2, 1, 8, 8)] * 4

    def __iter__(self) -> object:
        half = len(self.batches) // 2
        self.batches, used = self.batches[half:], self.batches[:half]
        return iter(used)


@pytest.mark.parametrize("data", [Noisy(), Shrinks()], ids=["augmented", "used up"])
def test_data_that_differ_between_the_passes_are_warned_of(data: object) -> None:
    with pytest.warns(PassesDifferWarning):
        measured(data)


def test_a_nan_in_both_passes_is_no_difference() -> None:
    batch = torch.full((2, 1, 8, 8), torch.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured([batch])


def test_named_and_nested_inputs_are_compared_as_well() -> None:
    model = grown()
    taken = []

    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, batch: dict[str, list[Tensor]]) -> Tensor:
            taken.append(batch)
            out: Tensor = self.inner(batch["pictures"][0])
            return out

    def metric(wrapper: nn.Module, _batch: object) -> float:
        return float(wrapper(batch={"pictures": [torch.randn(2, 1, 8, 8)]}).mean())

    with pytest.warns(PassesDifferWarning):
        Counterfactual.measure(Wrapper(), model.slot("r0c0"), None, metric)
    assert len(taken) == 2


def test_nothing_is_left_on_the_model() -> None:
    model = grown()
    with pytest.raises(ZeroDivisionError):
        Counterfactual.measure(model, model.slot("r0c0"), None, lambda _m, _b: 1 / 0)
    assert not model._forward_pre_hooks


def test_a_difference_at_the_end_of_a_large_input_is_warned_of() -> None:
    class Drifts:
        """Data that differ in their last pictures."""

        passes = 0

        def __iter__(self) -> object:
            self.passes += 1
            pictures = torch.zeros(40, 1, 8, 8)
            pictures[20:] = self.passes
            return iter([pictures])

    with pytest.warns(PassesDifferWarning):
        measured(Drifts())
