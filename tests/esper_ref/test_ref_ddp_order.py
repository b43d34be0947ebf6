"""DistributedDataParallel after germination is right; before it, the germination is refused."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import torch
from support.slots_in_stages import make_model
from support.trained_checkpoints import build
from support.two_ranks import run_on_two_ranks
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from esper_ref import load_checkpoint, save_checkpoint
from esper_ref.distributed import require_unwrapped
from esper_ref.errors import DistributedError

ORDER = "Unwrap it, germinate on every rank, then wrap it again: DDP(model)"


def gradients_of(rank: int, model: nn.Module, seed: nn.Module) -> list[float]:
    """Return the seed's gradients after a step on this rank's own data."""
    torch.manual_seed(100 + rank)
    model(torch.randn(4, 1, 8, 8)).square().mean().backward()
    return [float(p.grad.double().sum()) for p in seed.parameters() if p.grad is not None]


def grow_then_wrap(rank: int) -> list[float]:
    torch.manual_seed(0)
    model = make_model("cnn")
    model.germinate_seed("conv_light", slot="r0c0")
    model.slot("r0c0").advance_stage()
    return gradients_of(rank, DistributedDataParallel(model), model.slot("r0c0"))


def test_a_seed_that_germinated_before_the_wrapping_learns_the_average_of_all_ranks() -> None:
    first, second = run_on_two_ranks(grow_then_wrap)
    assert first == second
    assert any(gradient != 0.0 for gradient in first)


def wrap_then_grow(_rank: int) -> tuple[list[str], bool]:
    torch.manual_seed(0)
    model = make_model("cnn")
    wrapped = DistributedDataParallel(nn.Sequential(model))
    refusals = []
    for germinate in (
        lambda: model.germinate_seed("conv_light", slot="r0c0"),
        lambda: model.slot("r0c1").germinate("norm"),
    ):
        try:
            germinate()
        except DistributedError as error:
            refusals.append(str(error))
    return refusals, any(
        model.slot(slot_id).is_active for slot_id in model.route
    ) and wrapped.training


def test_a_germination_inside_a_wrapped_model_is_refused_with_the_right_order() -> None:
    for refusals, changed in run_on_two_ranks(wrap_then_grow):
        assert len(refusals) == 2
        assert all(ORDER in refusal for refusal in refusals)
        assert not changed


def wrap_grow_and_wrap_again(rank: int) -> list[float]:
    torch.manual_seed(0)
    wrapped = DistributedDataParallel(make_model("cnn"))
    model: Any = wrapped.module
    del wrapped
    model.germinate_seed("conv_light", slot="r0c0")
    model.slot("r0c0").advance_stage()
    return gradients_of(rank, DistributedDataParallel(model), model.slot("r0c0"))


def test_a_model_that_was_unwrapped_germinates_and_can_be_wrapped_again() -> None:
    first, second = run_on_two_ranks(wrap_grow_and_wrap_again)
    assert first == second
    assert any(gradient != 0.0 for gradient in first)


def load_into_wrapped(folder: Path, rank: int) -> tuple[str, bool, bool]:
    """Load a checkpoint with a seed, and one without, into a wrapped model."""
    torch.manual_seed(0)
    seeded, empty = build("cnn", 1), build("cnn", 2)
    seeded.germinate_seed("norm", slot="r0c0")
    for name, model in (("seeded", seeded), ("empty", empty)):
        save_checkpoint(folder / f"{name}-{rank}.pt", model, optimizers={}, epoch=3)
    model = build("cnn", 3)
    wrapped = DistributedDataParallel(model)
    before = copy.deepcopy(model.state_dict()["host.head.weight"])
    try:
        load_checkpoint(folder / f"seeded-{rank}.pt", model)
        refusal = ""
    except DistributedError as error:
        refusal = str(error)
    untouched = torch.equal(before, model.state_dict()["host.head.weight"])
    load_checkpoint(folder / f"empty-{rank}.pt", model)
    loaded = torch.equal(
        model.state_dict()["host.head.weight"], empty.state_dict()["host.head.weight"]
    )
    return refusal, untouched, loaded and wrapped.training


def test_a_checkpoint_with_a_seed_is_refused_inside_a_wrapped_model(tmp_path: Path) -> None:

    for refusal, untouched, loaded in run_on_two_ranks(partial(load_into_wrapped, tmp_path)):
        assert "Unwrap it" in refusal
        assert untouched
        assert loaded


def test_without_ranks_nothing_is_looked_for() -> None:
    require_unwrapped(make_model("cnn"), "a test")


def test_another_model_may_be_wrapped() -> None:
    assert run_on_two_ranks(grow_beside_a_wrapped_one) == [True, True]


def grow_beside_a_wrapped_one(_rank: int) -> bool:
    other = DistributedDataParallel(nn.Linear(2, 2))
    model = make_model("cnn")
    return model.germinate_seed("norm", slot="r0c0").passed and other.training
