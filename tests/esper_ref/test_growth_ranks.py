"""Two processes: the same decisions and weights on both, gradients averaged, one that writes."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from support.two_ranks import run_on_two_ranks
from test_growth_life import ROOT, lived, new_life, plain, saved, small_data, tiny_plan

from esper_ref import CNNHost, SeedStage
from esper_ref.growth import ranks
from esper_ref.growth.life import Life
from esper_ref.growth.table import stage_changes
from esper_ref.growth.training import loss_on

# Slow: models are grown for real, some of them on two ranks.
pytestmark = pytest.mark.slow


def summary(life: Life) -> dict[str, Any]:
    return {
        "changes": [(c.epoch, c.slot_id, c.after) for c in stage_changes(life.journal)],
        "scores": [m.score for _, m in life.journal.measured()],
        "losses": [m.loss for _, m in life.journal.measured()],
        "weights": plain(dict(life.model.named_parameters())),
    }


def live_together(folder: Path, rank: int) -> dict[str, Any]:
    here = folder / f"{rank}"
    here.mkdir()
    life = lived(tiny_plan("cnn", epochs=20), here)
    return {"files": sorted(path.name for path in here.iterdir()), **summary(life)}


def test_two_ranks_take_the_same_decisions_and_only_rank_0_writes(tmp_path: Path) -> None:
    first, second = run_on_two_ranks(partial(live_together, tmp_path))
    assert first.pop("files") == ["checkpoint.pt", "journal.jsonl"]
    assert second.pop("files") == []
    assert first == second
    assert SeedStage.BLENDING in [after for _, _, after in first["changes"]]


def averaged(rank: int) -> Any:
    torch.manual_seed(0)
    model = CNNHost(10, 2, 4, in_channels=1).eval()
    batch = small_data("cnn").training[ranks.own_share(torch.arange(8))]
    torch.autograd.backward(loss_on(model, batch))
    ranks.average_gradients(model.parameters())
    return [p.grad.tolist() for p in model.parameters() if p.grad is not None]


def test_the_averaged_gradient_is_that_of_the_whole_batch() -> None:
    first, second = run_on_two_ranks(averaged)
    alone = averaged(0)
    assert first == second
    for ours, theirs in zip(first, alone, strict=True):
        # float32 sums in another order
        torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-4, atol=1e-6)


def live_twice(folder: Path, rank: int) -> tuple[Any, Any]:
    """Live through once, and once with a cut after the seventh epoch."""
    plan = tiny_plan("transformer", epochs=20)
    whole = lived(plan, folder / "whole")
    cut = new_life(plan, folder / "cut")
    cut.begin()
    for _ in cut.epochs():
        if cut.epoch == 7:
            break
    torch.distributed.barrier()  # as processes do by ending
    fresh = new_life(plan, folder / "cut")
    fresh.resume()
    for _ in fresh.epochs():
        pass
    files = (saved(whole), saved(fresh)) if rank == 0 else (None, None)
    return (summary(whole), files[0]), (summary(fresh), files[1])


def test_a_run_on_two_ranks_resumes_bit_for_bit(tmp_path: Path) -> None:
    for whole, resumed in run_on_two_ranks(partial(live_twice, tmp_path)):
        assert whole == resumed


def test_torchrun_grows_on_two_processes(tmp_path: Path) -> None:
    options = ["--host", "cnn", "--seeds", "1", "--epochs", "6", "--steps", "1"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    run = subprocess.run(
        [*launcher, "--nproc-per-node", "2", "-m", "esper_ref", "grow", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("## cnn") == 1
    assert (tmp_path / "runs/cnn/growth.svg").exists()
