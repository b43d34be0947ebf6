"""What watching a training run costs: a step with the hooks of `watch` against the bare step.

    python benchmarks/watch_overhead.py [--rounds 40]

A small network is trained in one process, in processor seconds on one thread. A round is a few bare steps and
as many with hooks, one right after the other, in turns of either order, so that both meet the same machine. A
figure is the median ratio of the rounds, with its quartiles. A step takes about 10 ms on an idle machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from statistics import median, quantiles

import torch
from torch import nn
from torch.nn import functional as F

from esper_audit.watch.hooks import Hooks
from esper_audit.watch.monitor import make_monitors
from esper_audit.watch.run import Run

STEPS = 5  # of a block
AIM = 1.2


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 10),
    )  # fmt: skip


class Training:
    """A small training that goes on whenever it is asked to."""

    def __init__(self) -> None:
        self.model, self.x, self.y = (
            network(),
            torch.randn(8, 3, 32, 32),
            torch.randint(0, 10, (8,)),
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters())

    def train(self) -> float:
        """Take some steps, and return the seconds that one took."""
        start = time.process_time()
        for _ in range(STEPS):
            self.optimizer.zero_grad()
            F.cross_entropy(self.model(self.x), self.y).backward()
            self.optimizer.step()
        return (time.process_time() - start) / STEPS

    def evaluate(self) -> None:
        self.model.eval()
        with torch.no_grad():
            for _ in range(2):
                self.model(self.x)
        self.model.train()


def seconds_watched(training: Training, steps: int, folder: str) -> float:
    """Return the seconds of a step with all hooks, or with those of `steps` steps gone."""
    run = Run(folder, folder)
    hooks = Hooks(run, make_monitors(run, only=()), steps)
    hooks.install()
    for _ in range(3 if steps else 0):  # two evaluations, and training after them
        training.train()
        training.evaluate()
    if steps:
        training.train()
    seconds = training.train()
    hooks.remove()
    return seconds


def paired(training: Training, steps: int, rounds: int, folder: str) -> list[tuple[float, float]]:
    """Return the seconds of a bare and of a watched step, for each round."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            bare = training.train()
            watched = seconds_watched(training, steps, folder)
        else:
            watched = seconds_watched(training, steps, folder)
            bare = training.train()
        pairs.append((bare, watched))
    return pairs


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=40)
    rounds = arguments.parse_args().rounds
    torch.set_num_threads(1)
    training = Training()
    training.train()
    with tempfile.TemporaryDirectory() as folder:
        for name, steps, aim in (("with hooks", 0, AIM), ("after the hooks of steps", 1, 1.0)):
            pairs = paired(training, steps, rounds, folder)
            low, middle, high = quantiles([watched / bare for bare, watched in pairs])
            bare_ms = 1000 * median(bare for bare, _ in pairs)
            print(
                f"{name}: {middle:.3f} ({low:.3f} to {high:.3f}) of the bare step of {bare_ms:.1f} ms (aim {aim})"
            )


if __name__ == "__main__":
    main()
