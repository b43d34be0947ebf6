"""What watching a training run costs: a step with the hooks of `watch` against the bare step.

    python benchmarks/watch_overhead.py [--rounds 5]

Both run in one process, in turns, in processor seconds on one thread: a step of a small network that takes
about 10 ms, with hooks, without, and with the hooks of steps gone. A figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from statistics import median

import torch
from torch import nn
from torch.nn import functional as F

from esper_audit.watch.hooks import Hooks
from esper_audit.watch.monitor import make_monitors
from esper_audit.watch.run import Run

STEPS = 40
AIM = 1.2


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10),
    )  # fmt: skip


def seconds_a_step() -> float:
    model, x, y = network(), torch.randn(16, 3, 32, 32), torch.randint(0, 10, (16,))
    optimizer = torch.optim.AdamW(model.parameters())
    start = time.process_time()
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    return (time.process_time() - start) / STEPS


def watched(steps: int, folder: str) -> tuple[Hooks, Run]:
    run = Run(folder, folder)
    hooks = Hooks(run, make_monitors(run, only=()), steps)
    hooks.install()
    return hooks, run


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    torch.set_num_threads(1)
    bare, with_hooks, after = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        seconds_a_step()
        for _ in range(rounds):
            bare.append(seconds_a_step())
            hooks, _run = watched(0, folder)
            with_hooks.append(seconds_a_step())
            hooks.remove()
            hooks, _run = watched(1, folder)
            seconds_a_step()
            after.append(seconds_a_step())
            hooks.remove()
    print(f"bare step: {1000 * median(bare):.2f} ms")
    for name, times in (("with hooks", with_hooks), ("after the hooks of steps", after)):
        ratio = median(t / b for t, b in zip(times, bare, strict=True))
        print(f"{name}: {ratio:.3f} of the bare step (aim {AIM if times is with_hooks else 1.0})")


if __name__ == "__main__":
    main()
