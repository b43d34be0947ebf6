"""`esper-audit watch` on two ranks: what differs between them, and what one of them skips."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.watched_command import watch

# Slow: each test starts processes that import torch.
pytestmark = [pytest.mark.slow, pytest.mark.torch]

RANKS = """
import os
import sys
import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
x, y = torch.randn(24, 6), torch.randint(0, 3, (24,))
model = nn.Linear(6, 3)
{wrap}
data = TensorDataset(x, y)
loader = DataLoader(data, 4, {sampler})
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for inputs, targets in loader:
    optimizer.zero_grad()
    F.cross_entropy(model(inputs), targets).backward()
    optimizer.step()
dist.barrier()
dist.destroy_process_group()
"""
SAMPLER = "sampler=DistributedSampler(data)"


def on_two_ranks(folder: Path, wrap: str, sampler: str) -> subprocess.CompletedProcess[str]:
    script = RANKS.format(wrap=wrap, sampler=sampler)
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "train.py"]
    return watch(folder, "--", *run, script=script)


def test_ranks_that_agree_are_clean(tmp_path: Path) -> None:
    run = on_two_ranks(tmp_path, "model = DDP(model)", SAMPLER)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "ranks-agree: looked" in run.stdout


def test_ranks_that_part_are_named(tmp_path: Path) -> None:
    run = on_two_ranks(tmp_path, "", SAMPLER)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "parameters of rank 1 differ from those of rank 0" in " ".join(run.stdout.split())


@pytest.mark.parametrize(
    ("skip", "why"),
    [
        ("if rank == 0:\n    dist.all_reduce(torch.ones(1))", "rank 1 has ended without it"),
        (
            "if rank == 0:\n    dist.broadcast(torch.ones(1), 1)\ndist.barrier()",
            "is in",
        ),
    ],
)
def test_a_collective_that_a_rank_skips_is_named_and_does_not_hang(
    tmp_path: Path, skip: str, why: str
) -> None:
    script = RANKS.format(wrap="model = DDP(model)", sampler=SAMPLER).replace(
        "dist.barrier()\ndist.destroy_process_group()", skip
    )
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "train.py"]
    done = watch(tmp_path, "--", *run, script=script)
    text = " ".join(done.stdout.split())
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert "Every rank has to reach every collective" in text
    assert why in text


def test_a_model_that_one_rank_alone_wraps_is_named_and_does_not_hang(tmp_path: Path) -> None:
    run = on_two_ranks(tmp_path, "if rank == 0:\n    model = DDP(model)", SAMPLER)
    text = " ".join(run.stdout.split())
    assert run.returncode in (1, 3), run.stdout + run.stderr
    assert "rank 0 waits in DistributedDataParallel" in text
    assert "Every rank has to reach every collective" in text


def test_ranks_with_equal_batches_are_named(tmp_path: Path) -> None:
    run = on_two_ranks(tmp_path, "model = DDP(model)", "shuffle=False")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "ranks 0, 1 begin with the same batch" in " ".join(run.stdout.split())


AUGMENTED = """
class Noisy(TensorDataset):
    def __getitem__(self, index):
        inputs, target = super().__getitem__(index)
        return inputs + torch.randn(6), target


data = Noisy(x, y)
loader = DataLoader(data, 4, {sampler})
"""


def test_ranks_with_equal_random_numbers_are_named(tmp_path: Path) -> None:
    script = RANKS.replace(
        "data = TensorDataset(x, y)\nloader = DataLoader(data, 4, {sampler})\n", AUGMENTED
    ).format(wrap="model = DDP(model)", sampler=f"{SAMPLER}, num_workers=1")
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "train.py"]
    done = watch(tmp_path, "--", *run, script=script)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ranks 0, 1 draw the same torch numbers in worker 0" in " ".join(done.stdout.split())
