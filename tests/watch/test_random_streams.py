"""The random numbers that loading draws are compared between ranks, in a process and its workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.watched_scripts import watch_script

from esper_audit.watch.rank_comparison import compare_ranks
from esper_audit.watch.records import Measured

pytestmark = pytest.mark.torch

LOADING = """
import random
from torch.utils.data import DataLoader, TensorDataset
class Items(TensorDataset):
    def __getitem__(self, index):
        inputs, target = super().__getitem__(index)
        return inputs + {noise}, target
torch.manual_seed({seed})
for batch in DataLoader(Items(x, y), 4, shuffle=True, num_workers={workers}):
    pass
"""
WHERE = {0: "for batch", 1: "in worker 0"}


def drawn_by(folder: Path, rank: int, monkeypatch: pytest.MonkeyPatch, code: str) -> list[Measured]:
    monkeypatch.setenv("RANK", f"{rank}")
    (folder / f"{rank}").mkdir()
    measured = watch_script(folder / f"{rank}", code).measured
    return [found for found in measured if found.code == "same-stream"]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("own_seed", [False, True])
def test_the_same_numbers_on_two_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, *, own_seed: bool
) -> None:
    both: list[Measured] = []
    for rank in (0, 1):
        code = LOADING.format(noise="torch.randn(6)", seed=own_seed * rank, workers=workers)
        found = drawn_by(tmp_path, rank, monkeypatch, code)
        assert found
        assert all(f"torch numbers {WHERE[workers]}" in measured.key for measured in found)
        both += found
    assert [seen.code for seen in compare_ranks(both)] == ([] if own_seed else ["same-stream"])


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_that_draws_nothing_is_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    code = LOADING.format(noise="1", seed=0, workers=workers)
    assert drawn_by(tmp_path, 0, monkeypatch, code) == []


def test_numbers_of_the_standard_library_are_compared_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = LOADING.format(noise="random.random()", seed=0, workers=1)
    (found,) = drawn_by(tmp_path, 0, monkeypatch, code)
    assert found.key.startswith("random numbers in worker 0 (train.py:")


def test_the_users_own_start_of_a_worker_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = LOADING.format(noise="torch.randn(6)", seed=0, workers=1)
    own = "worker_init_fn=lambda worker: torch.manual_seed(7)"
    (found,) = drawn_by(tmp_path, 0, monkeypatch, code.replace("shuffle", f"{own}, shuffle"))
    (tmp_path / "more").mkdir()
    code = code.replace("manual_seed(0)", "manual_seed(1)").replace("shuffle", f"{own}, shuffle")
    (again,) = drawn_by(tmp_path / "more", 1, monkeypatch, code)
    assert found.value == again.value
